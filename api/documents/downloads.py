"""What a download's request headers ask for, and what its answer says of a file that strangers may have uploaded."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from agent_bus.documents import Document

# Shown by a browser, a document must neither run scripts in the server's name nor be taken for another type.
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
# What may stand in a quoted file name without any reader of headers taking it for something else.
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+,=@~-]", re.ASCII)
# RFC 5987 attr-char, beside letters and digits.
_UNESCAPED = "!#$&+-.^_`|~"


class RangeNotSatisfiable(Exception):
    """The document has no such bytes."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte wanted and the one after the last; None for all of them.

    Several ranges, other units, and what is no range at all are answered with the whole, as RFC 9110 allows.
    Raises RangeNotSatisfiable.
    """
    match = _RANGE.fullmatch(header) if header is not None else None
    if match is None or match.group(0).endswith("=-"):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        if int(last) == 0:
            raise RangeNotSatisfiable
        return (max(size - int(last), 0), size) if size else None
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable
    return start, min(int(last) + 1, size) if last else size


def entity_tags(header: str, *, weak: bool) -> list[str]:
    """What stands between the quotes of the entity tags in a header. weak: whether weak ones count."""
    return [value for prefix, value in _ENTITY_TAG.findall(header) if weak or not prefix]


def not_modified(if_none_match: str | None, checksum: str) -> bool:
    """Whether the client has the bytes already."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or checksum in entity_tags(if_none_match, weak=True)


def range_applies(if_range: str | None, checksum: str) -> bool:
    """Whether the bytes that the client has a part of are still these; a date never says so."""
    return if_range is None or entity_tags(if_range, weak=False) == [checksum]


def content_disposition(filename: str) -> str:
    """The header that has a browser save the file under its name (RFC 6266), whatever the name is made of."""
    plain = _NOT_PLAIN.sub("_", filename)
    header = f'attachment; filename="{plain}"'
    if plain != filename:
        header += f"; filename*=UTF-8''{quote(filename, safe=_UNESCAPED)}"
    return header


def download_headers(document: Document) -> dict[str, str]:
    """The headers of every answer that is about the document's bytes."""
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition(document.filename),
        "Content-Security-Policy": SANDBOX,
        "ETag": f'"{document.checksum}"',
        "X-Content-Type-Options": "nosniff",
    }


def expected_versions(headers: Mapping[str, str], checksum: str | None) -> list[int] | None:
    """The versions of a document that `If-Match` would have changed; None for any.

    checksum: of the document's bytes, which is what a download's ETag says. They never change, so it names any version.
    """
    header = headers.get("if-match")
    if header is None or header.strip() == "*" or checksum in entity_tags(header, weak=False):
        return None
    return [int(tag) for tag in entity_tags(header, weak=False) if re.fullmatch(r"\d{1,15}", tag, re.ASCII)]


def version_tag(version: int) -> dict[str, str]:
    """The header that names a document's version."""
    return {"ETag": f'"{version}"'}
