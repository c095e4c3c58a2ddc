"""What stands in headers, addresses and ids."""

import contextlib
import ipaddress

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import QueryParams

from agent_bus import timestamps
from agent_bus.identifiers import check_name, check_session_id
from agent_bus.messages import Name, SessionId
from api.authentication import bearer
from api.coordinator.cursors import InvalidCursor, decode_cursor, encode_cursor
from api.coordinator.websocket import InvalidQuery, read_query
from api.documents.downloads import (
    RangeNotSatisfiable,
    entity_tags,
    expected_versions,
    not_modified,
    parse_range,
    range_applies,
)
from api.roles import Role, who_may
from api.security import CLOSE_REASON_BYTES, hostname, is_loopback
from api.shortcuts import plain_length
from api.tokens import InvalidTokens, render
from api.tokens import parse as parse_tokens
from tests.fuzz.harness import Harnesses, into, text_of

GROUP: Harnesses = {}

SESSION_ID, NAME = TypeAdapter(SessionId), TypeAdapter(Name)
SIZES = (0, 1, 10, 2**40)
CHECKSUM = "ab" * 32
TOKEN = b'{"tokens": [{"name": "a", "role": "agent", "sha256": "%b", "created_at": ""}]}' % (b"0" * 64)


@into(
    GROUP, "authorization",
    "one header of the scheme Bearer gives its token; no header gives None, and all else nothing",
    seeds=(b"authorization: Bearer abc", b"authorization: bearer  abc ", b"authorization: Basic abc", b"x: y",
           b"authorization: Bearer a\nauthorization: Bearer b", b"authorization: Bearer\tabc", b"authorization:",
           b"content-length: 5"),
    words=(b"authorization: ", b"Bearer ", b"\nauthorization: Bearer ", b"content-length: ",
    b"transfer-encoding: chunked", b"\t"),
)  # fmt: skip
def authorization(data: bytes) -> None:
    headers = [(name, value.lstrip(b" ")) for name, _, value in (line.partition(b":") for line in data.split(b"\n"))]
    sent = [value for name, value in headers if name == b"authorization"]
    found = bearer({"headers": headers})
    assert (found is None) == (not sent)
    if found:
        assert len(sent) == 1
        assert sent[0].lower().startswith(b"bearer ")
        assert found in sent[0]
    length = plain_length({"headers": headers})
    assert length is None or length >= 0


@into(
    GROUP, "range", "a range lies within the document; what is none gets the whole, or 416",
    seeds=(b"bytes=0-3", b"bytes=-5", b"bytes=5-", b"bytes=0-0,2-3", b"BYTES= 1-2 ", b"bytes=9-1", b"lines=1-2",
    b"bytes=-0",
           b'"1"', b'W/"x", "3", "' + CHECKSUM.encode() + b'"', b"*"),
    words=(b"bytes=", b"-", b",", b'"', b'W/"', b"*", b"99999999999999999999", CHECKSUM.encode()),
)  # fmt: skip
def range_and_match(data: bytes) -> None:
    header = data.decode("latin-1")
    for size in SIZES:
        with contextlib.suppress(RangeNotSatisfiable):
            found = parse_range(header, size)
            assert found is None or 0 <= found[0] < found[1] <= size
    for versions in (expected_versions({"if-match": header}, CHECKSUM), expected_versions({"if-match": header}, None)):
        assert versions is None or all(0 <= version < 10**15 for version in versions)
    if not_modified(header, CHECKSUM) and header.strip() != "*":
        assert f'"{CHECKSUM}"' in header
    if range_applies(header, CHECKSUM):
        assert entity_tags(header, weak=False) == [CHECKSUM]


@into(
    GROUP, "host", "a name that counts as this machine's is localhost's or a loopback address",
    seeds=(b"localhost:8765", b"[::1]:80", b"127.0.0.1", b"evil.example", b"localhost.evil.example", b"a@localhost",
    b"[::1", b":1",
           b"localhost\\.evil.example", b"127.1", b"[::ffff:127.0.0.1]", b"localhost:80:evil.example"),
    words=(b"localhost", b".localhost", b"127.0.0.1", b"[::1]", b"@", b":", b"#", b"?", b"/", b"\\", b"%"),
)  # fmt: skip
def host(data: bytes) -> None:
    name = hostname(data.decode("latin-1"))
    assert not set(name) & set("/?#@")
    if is_loopback(name) and name != "localhost" and not name.endswith(".localhost"):
        assert ipaddress.ip_address(name).is_loopback


@into(
    GROUP, "path", "a path without a line is for readers or operators, and none is for more than its line says",
    seeds=(b"GET /sessions", b"POST /events", b"DELETE /sessions/x", b"GET /assets/a/b", b"HEAD /docs", b"PUT /x",
    b"GET //sessions",
           b"GET /events/a/outline"),
    words=(b"/sessions", b"/events", b"/documents", b"/assets/", b"/metadata", b"/stop", b"\n", b"..", b"HEAD ",
    b"OPTIONS "),
)  # fmt: skip
def path(data: bytes) -> None:
    method, _, rest = text_of(data).partition(" ")
    roles = who_may(method, rest)
    if roles is None:
        assert method in ("GET", "HEAD")
        assert rest in ("/", "/health", "/ready", "/docs", "/openapi.json") or rest.startswith("/assets/")
    else:
        assert Role.OPERATOR in roles
        assert method in ("GET", "HEAD", "OPTIONS") or Role.VIEWER not in roles or rest in ("/ws-ticket",)


@into(
    GROUP, "socket-query", "a query is an outbox, or refused with a reason that fits into a close frame",
    seeds=(b"since=5&epoch=ab&resumed=1", b"session_id=a&session_id=b", b"since=-1", b"ticket=x&since=1",
    b"session_id=",
           b"&".join(b"session_id=%d" % n for n in range(101)), b"since=%D9%A1", b"session_id=%00%ff", b"a=b;c"),
    words=(b"since=", b"epoch=", b"session_id=", b"resumed=1", b"&", b"%", b"+", b"9007199254740993"),
)  # fmt: skip
def socket_query(data: bytes) -> None:
    try:
        outbox = read_query(QueryParams(data), 1024)
    except InvalidQuery as refusal:
        assert 0 < len(str(refusal).encode()) <= CLOSE_REASON_BYTES
        return
    assert outbox.since is None or 0 <= outbox.since < 10**16


@into(
    GROUP, "session-id", "an id or name is taken or refused, and by the models as by the light check",
    seeds=(b"s", b"a/b", b"..", "ä😀".encode(), b"x" * 201, b"a\nb", b"\x7f", b"{a}*?[", b"", b"\xed\xa0\x80"),
    words=(b"/", b"\\", b"..", b"\x00", b"\xc2\x85", b"\xe2\x80\xa8"),
)  # fmt: skip
def session_id(data: bytes) -> None:
    # Also texts that are no Unicode, as they come out of Python's own decoders.
    for text in (
        text_of(data),
        data.decode("utf-8", "surrogateescape"),
        data.decode("utf-8", "surrogatepass") if _passes(data) else "",
    ):
        for light, model in ((check_session_id, SESSION_ID), (check_name, NAME)):
            by_check = by_model = True
            try:
                light(text)
            except ValueError:
                by_check = False
            try:
                model.validate_python(text)
            except ValidationError:
                by_model = False
            unicode = text.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in text)
            assert by_check == by_model or not unicode, (text, by_check, by_model)
            if by_check and light is check_session_id:
                assert text.encode()
                assert not set(text) & set("/\\\0\n\r")


def _passes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


@into(
    GROUP, "time", "a time in the agreed form stays as it was; another means the same in it; all else is ValueError",
    seeds=(b"2026-01-24T10:00:00.123456+00:00", b"2026-01-24T10:00:00Z", b"2026-01-24 10:00+05:30",
    b"20260124T100000", b"2026-W04-6",
           b"1970-01-01T00:00:00", b"2253-12-31T23:59:59.999999-23:59", b"2026-01-24T24:00:00",
           b"2026-01-24T10:00:00,5+00:00:01.5"),
    words=(b"2026-", b"T", b"Z", b"+00:00", b"-", b":", b".", b",", b"W", b"\xd9\xa2"),
)  # fmt: skip
def time(data: bytes) -> None:
    try:
        agreed, score = timestamps.normalise(text_of(data))
    except ValueError:
        return
    assert timestamps.microseconds(agreed) == score
    assert timestamps.normalise(agreed) == (agreed, score)
    assert agreed.endswith("+00:00")
    assert agreed.isascii()
    assert 0 <= score < 2**53


@into(
    GROUP, "cursor", "a cursor that is taken is one that we give",
    seeds=(b"MTIzOnM", b"MTIzOsOk", b"x", b"MTIz", b"====", "ä".encode(), b"MTo6Og"),
    words=(b"=", b"-", b"_", b"MTIzOnM", b"OTk5"),
)  # fmt: skip
def cursor(data: bytes) -> None:
    try:
        found = decode_cursor(text_of(data))
    except InvalidCursor:
        return
    assert decode_cursor(encode_cursor(found)) == found
    assert 0 <= int(found.score) < 10**16


@into(
    GROUP, "token-file",
    "a file is tokens, which are written as they were read; all else is refused and not repeated",
    seeds=(b'{"tokens": []}', TOKEN, TOKEN.replace(b"agent", b"root"),
           TOKEN.replace(b'"name"', b'"aot_0123456789abcdef"'),
           TOKEN.replace(b"000", b"x"), b"[]", b"{"),
    words=(b'"tokens"', b'"name"', b'"role"', b'"sha256"', b'"created_at"', b'"viewer"', b'"operator"', b"0" * 64,
    b"aot_0123456789abcdef"),
)  # fmt: skip
def token_file(data: bytes) -> None:
    try:
        tokens = parse_tokens(text_of(data))
    except InvalidTokens as refusal:
        assert "aot_0123456789abcdef" not in str(refusal)
        return
    assert parse_tokens(render(tokens)) == tokens
    assert all(token.role in Role for token in tokens)
