"""A multipart/form-data body read part by part as it arrives; no part is ever held whole unless asked for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

# A form has three parts here; clients may send some that nobody reads.
MAX_PARTS = 50
MAX_PART_HEADERS = 16
MAX_PART_HEADER_BYTES = 4096
# What a form may have around its file: boundaries, headers, fields.
FORM_OVERHEAD_BYTES = 1024 * 1024
# A client that sends nothing for this long is taken for gone; its upload holds memory and a place in the store.
STALL_SECONDS = 60.0


def malformed(reason: str) -> HTTPException:
    """The answer to a body that is not a form, or breaks off."""
    return HTTPException(400, f"The form can't be read: {reason}", {"Connection": "close"})


def boundary_of(content_type: str) -> bytes:
    """The boundary that a request's content type names. Raises HTTPException for what is not a multipart form."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        detail = f"Send a form as multipart/form-data, not {content_type or 'a body without content type'!r}"
        raise HTTPException(422, detail)
    if not boundary:
        raise malformed("its content type names no boundary")
    return boundary


@dataclass(slots=True)
class _Headers:
    """A part has begun."""

    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Data:
    """Bytes of the part that has begun."""

    data: bytes


class _PartEnd:
    """The part that has begun is whole."""


class _FormEnd:
    """The form is whole."""


_Event = _Headers | _Data | _PartEnd | _FormEnd


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the form: its field's name, its file name as sent (None for a plain field), its content type or ''."""

    name: str
    filename: str | None
    content_type: str
    form: "MultipartForm"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The part's bytes as they arrive. Raises HTTPException if the form breaks off."""
        while True:
            event = await self.form.next_event()
            if isinstance(event, _Data):
                yield event.data
            else:
                return

    async def text(self, limit: int) -> str:
        """The part as text. Raises HTTPException if it is longer than `limit` bytes, or not UTF-8."""
        data = bytearray()
        async for chunk in self.chunks():
            data += chunk
            if len(data) > limit:
                raise HTTPException(413, f"The field {self.name!r} is larger than the limit of {limit} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise HTTPException(422, f"The field {self.name!r} is not UTF-8") from error


class MultipartForm:
    """The form in a body. `max_bytes` limits the body as a whole."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes, max_bytes: int) -> None:
        self._body = body
        self._left = self._max_bytes = max_bytes
        self._events: deque[_Event] = deque()
        self._parts = 0
        self._headers = _Headers()
        self._name, self._value = b"", b""
        self._opening = b"--" + boundary
        # What has come in front of the first part; None once that has begun.
        self._front: bytes | None = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": lambda: self._events.append(_PartEnd()),
                    "on_end": lambda: self._events.append(_FormEnd()),
                },
                max_header_count=MAX_PART_HEADERS,
                max_header_size=MAX_PART_HEADER_BYTES,
            )
        except FormParserError as error:
            raise malformed(str(error)) from error

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise malformed(f"it has more than {MAX_PARTS} parts")
        self._headers = _Headers()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers.fields[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        self._events.append(self._headers)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(_Data(data[start:end]))

    async def next_event(self) -> _Event:
        """What the parser saw next. Raises HTTPException if the body breaks off, stalls, or is too large."""
        while not self._events:
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    chunk = await anext(self._body)
            except StopAsyncIteration:
                raise malformed("it ends before its last boundary") from None
            except ClientDisconnect as error:
                raise malformed("the client went away") from error
            except TimeoutError as error:
                detail = f"Nothing has arrived for {STALL_SECONDS:g} s"
                raise HTTPException(408, detail, {"Connection": "close"}) from error
            self._left -= len(chunk)
            if self._left < 0:
                raise HTTPException(413, f"The form is larger than the limit of {self._max_bytes} bytes")
            try:
                self._parser.write(self._from_first_boundary(chunk))
            except FormParserError as error:
                raise malformed(str(error)) from error
        return self._events.popleft()

    def _from_first_boundary(self, chunk: bytes) -> bytes:
        """The chunk without line ends in front of the first boundary; nothing while more has to come to tell.

        The parser skips some other texts there, and refuses them when they come in other pieces.
        """
        if self._front is None:
            return chunk
        self._front = (self._front + chunk).lstrip(b"\r\n")
        if self._front.startswith(self._opening):
            begun, self._front = self._front, None
            return begun
        if not self._opening.startswith(self._front):
            raise malformed("it does not begin with its boundary")
        return b""

    def part_ended(self) -> None:
        """Called by the part that has given its last byte."""

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in order, until the form is whole; what of a part is left unread is thrown away."""
        while True:
            event = await self.next_event()
            if isinstance(event, _FormEnd):
                return
            if isinstance(event, _Headers):
                yield self._part(event)

    def _part(self, headers: _Headers) -> Part:
        kind, options = parse_options_header(headers.fields.get("content-disposition", ""))
        if kind != b"form-data" or b"name" not in options:
            raise malformed("a part has no Content-Disposition: form-data with a name")
        filename = options.get(b"filename")
        return Part(
            name=_text(options[b"name"]),
            filename=None if filename is None else _text(filename),
            content_type=headers.fields.get("content-type", "").strip(),
            form=self,
        )


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
