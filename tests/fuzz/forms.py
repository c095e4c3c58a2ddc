"""Uploads: the form in its pieces, and what its fields and names become."""

import asyncio
import contextlib
import functools
import logging
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote

import orjson
from starlette.exceptions import HTTPException

from agent_bus.tags import MAX_TAGS, TAG, InvalidTags, parse_tags, split_tags
from api.documents.downloads import content_disposition
from api.documents.multipart import MultipartForm, boundary_of
from api.documents.uploads import checked_content_type, checked_filename, checked_metadata
from tests.fuzz.harness import Harnesses, into, text_of

GROUP: Harnesses = {}

LIMIT = 64 * 1024
PART = b'--B\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
FILE = b'--B\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n'
END = b"--B--\r\n"
# It tells of each input that it does not like.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
Fields = list[tuple[str, str | None, str, str]]


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """One for all inputs: making one costs a thousand times what a form does."""
    return asyncio.new_event_loop()


async def _read(body: bytes, size: int) -> Fields:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    form = MultipartForm(pieces(), b"B", LIMIT)
    return [(part.name, part.filename, part.content_type, await part.text(LIMIT)) async for part in form.parts()]


def _outcome(body: bytes, size: int) -> Fields | None:
    with contextlib.suppress(HTTPException):
        return loop().run_until_complete(_read(body, size))
    return None


@into(
    GROUP, "multipart", "a form means the same however it is cut into pieces; what is none is refused with a status",
    seeds=tuple(bytes([size]) + body for size, body in (
        (255, FILE % (b"a.txt", b"text/plain", b"x") + END), (1, PART % (b"tags", b"a,b") + FILE % (b"\xc3\xa9",
        b"a/b", b"--B") + END),
        (3, PART % (b"metadata", b'{"a":"b"}') + END), (7, b"preamble\r\n" + FILE % (b'a\\"b', b"",
        b"\r\n--\r\n") + END + b"epilogue"),
        (9, PART % (b"n", b"v") * 60 + END), (5,
        b"--B\r\nX: y\r\n z\r\nContent-Disposition: form-data; name=n\r\n\r\n\r\n" + END),
        (40, b"\r\x01\x00" + b"q" * 40 + b"\r\n\r\n" + END),
        (40, b"\rqqq" + b"\xfd\0" * 30 + PART % (b"n", b"v") + END),
    )),
    words=(b"--B", b"--B--", b"\r\n", b"\r\n\r\n", b"Content-Disposition", b"form-data", b"; name=", b'; filename="',
    b"filename*=UTF-8''",
           b"Content-Type: ", b"Content-Transfer-Encoding: base64"),
)  # fmt: skip
def multipart(data: bytes) -> None:
    if not data:
        return
    # Byte by byte, a long one takes long.
    size, body = max(data[0], 1, len(data) // 100), data[1:]
    cut = _outcome(body, size)
    assert cut == _outcome(body, len(body) or 1)
    for name, filename, content_type, value in cut or ():
        for text in (name, filename or "", value):
            text.encode()
        with contextlib.suppress(HTTPException):
            assert not set(checked_content_type(content_type)) & set("\0\r\n\x7f")


@into(
    GROUP, "boundary", "a content type names a boundary, or is refused with a status",
    seeds=(b"multipart/form-data; boundary=B", b'Multipart/Form-Data; boundary="a b"; charset=utf-8', b"text/plain",
           b"multipart/form-data", b"multipart/form-data; boundary*0=a; boundary*1=b", b"multipart/mixed; boundary=x"),
    words=(b"multipart/form-data", b"boundary=", b'"', b"\\", b";", b"*0", b"*=utf-8''", b"%00"),
)  # fmt: skip
def boundary(data: bytes) -> None:
    with contextlib.suppress(HTTPException):
        found = boundary_of(data.decode("latin-1"))
        assert isinstance(found, bytes)
        assert found
        MultipartForm(_nothing(), found, 1)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


@into(
    GROUP, "tags", "tags are as tags are, each once, and mean the same when they are read again",
    seeds=(b"a,b", b" a ,\tb,,", b"A-1,a-1", b",".join(b"t%d" % n for n in range(101)), "ä".encode(), b"a b",
    b"x" * 65),
    words=(b",", b" ", b"\t", b"-", b"\xc2\xa0", b"\xd9\xa0"),
)  # fmt: skip
def tags(data: bytes) -> None:
    try:
        found = parse_tags(split_tags(text_of(data)))
    except InvalidTags as refusal:
        assert len(str(refusal)) < 400
        return
    assert len(found) == len(set(found)) <= MAX_TAGS
    assert all(TAG.fullmatch(tag) and tag.isascii() for tag in found)
    assert parse_tags(split_tags(",".join(found))) == found


@into(
    GROUP, "metadata", "metadata is an object of texts, kept as it is; all else is refused with a status",
    seeds=(b"", b"{}", b'{"a":"b"}', b'{"description":"\\u0000","\\ud83d\\ude00":""}', b'{"a":1}', b"[]",
    b'{"a":"b","a":"c"}'),
    words=(b'"description"', b"\\u", b"\\ud800", b"null", b'{"a":'),
)  # fmt: skip
def metadata(data: bytes) -> None:
    try:
        found = checked_metadata(text_of(data))
    except HTTPException as refusal:
        assert refusal.status_code == 422
        orjson.dumps(refusal.detail)
        return
    assert not data or orjson.loads(text_of(data)) == found
    assert checked_metadata(orjson.dumps(found).decode()) == found


_ONE_HEADER = re.compile(
    r"attachment; filename=\"[A-Za-z0-9 ._()+,=@~-]*\"(; filename\*=UTF-8''([\w!#$&+.^`|~%-]+))?", re.ASCII
)


@into(
    GROUP, "file-name", "a name is the last part of a path, and comes back as it was from one header of ASCII",
    seeds=(b"a.txt", b"../../etc/passwd", b"C:\\x\\y.txt", b'a"; filename="b', "ä😀\u202e.txt".encode(), b"a\r\nX: y",
    b"..", b" ",
           b"x" * 256, b"a%0d%0ab", b"a\x00"),
    words=(b"/", b"\\", b'"', b";", b"filename*=", b"\r\n", b"%", b"'", b".."),
)  # fmt: skip
def file_name(data: bytes) -> None:
    with contextlib.suppress(HTTPException):
        checked_content_type(data.decode("latin-1")).encode("ascii")
    try:
        name = checked_filename(text_of(data))
    except HTTPException as refusal:
        assert refusal.status_code == 422
        return
    assert not set(name) & set("/\\\0")
    assert name not in (".", "..")
    header = _ONE_HEADER.fullmatch(content_disposition(name))
    assert header is not None
    assert name == (unquote(header[2], errors="strict") if header[1] else content_disposition(name).split('"')[1])
