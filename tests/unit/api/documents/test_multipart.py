import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.documents import multipart
from api.documents.multipart import MultipartForm, boundary_of

FORM = (
    b'--B\r\nContent-Disposition: form-data; name="tags"\r\n\r\na,b\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa9.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b'one\r\n--two\r\n\r\n--B\r\nContent-Disposition: form-data; name="left"\r\n\r\nunread\r\n--B--\r\n'
)


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def fields(form: MultipartForm) -> list[tuple[str, str | None, str, str]]:
    return [
        (part.name, part.filename, part.content_type, await part.text(1000))
        async for part in form.parts()
        if part.name != "left"
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
async def test_parts_are_the_same_however_they_arrive(size: int) -> None:
    assert await fields(MultipartForm(in_chunks(FORM, size), b"B", 10_000)) == [
        ("tags", None, "", "a,b"),
        ("file", "é.txt", "text/plain", "one\r\n--two\r\n"),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("front", [b"", b"\r\n", b"\n\r\n\r\n"])
async def test_line_ends_may_stand_in_front(front: bytes, size: int) -> None:
    assert len(await fields(MultipartForm(in_chunks(front + FORM, size), b"B", 10_000))) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("front", [b"x", b"preamble\r\n", b"\r-", b"\r\x01\x00qq\r\n", b"--A\r\n", b" "])
async def test_other_texts_in_front_are_refused_however_they_arrive(front: bytes, size: int) -> None:
    with pytest.raises(HTTPException, match="begin with its boundary") as caught:
        await fields(MultipartForm(in_chunks(front + FORM, size), b"B", 10_000))
    assert caught.value.status_code == 400


@pytest.mark.parametrize("end", [10, 40, 80, 150, len(FORM) - 6])
async def test_a_form_that_ends_early_is_refused(end: int) -> None:
    with pytest.raises(HTTPException) as caught:
        await fields(MultipartForm(in_chunks(FORM[:end], 16), b"B", 10_000))
    assert caught.value.status_code == 400


async def test_a_client_that_goes_away_is_told_from_a_whole_form() -> None:
    async def leaving() -> AsyncIterator[bytes]:
        yield FORM[:100]
        raise ClientDisconnect

    with pytest.raises(HTTPException, match="went away"):
        await fields(MultipartForm(leaving(), b"B", 10_000))


async def test_a_client_that_sends_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield FORM[:100]
        await asyncio.Event().wait()

    monkeypatch.setattr(multipart, "STALL_SECONDS", 0.01)
    with pytest.raises(HTTPException) as caught:
        await fields(MultipartForm(stalling(), b"B", 10_000))
    assert caught.value.status_code == 408


async def test_limits_are_named() -> None:
    with pytest.raises(HTTPException, match="limit of 100 bytes") as caught:
        await fields(MultipartForm(in_chunks(FORM, 10), b"B", 100))
    assert caught.value.status_code == 413
    form = MultipartForm(in_chunks(FORM, 10), b"B", 10_000)
    first = await anext(form.parts())
    with pytest.raises(HTTPException, match="'tags' is larger than the limit of 2 bytes"):
        await first.text(2)
    many = b"".join(b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n' for _ in range(60)) + b"--B--\r\n"
    with pytest.raises(HTTPException, match="more than 50 parts"):
        await fields(MultipartForm(in_chunks(many, 1000), b"B", 10_000))


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("", 422), ("application/json", 422), ("multipart/mixed; boundary=B", 422), ("multipart/form-data", 400)],
)
def test_what_is_no_form_is_told_apart(content_type: str, status: int) -> None:
    with pytest.raises(HTTPException) as caught:
        boundary_of(content_type)
    assert caught.value.status_code == status


def test_a_boundary_may_be_quoted() -> None:
    assert boundary_of('Multipart/Form-Data; boundary="a b"') == b"a b"


async def test_a_boundary_longer_than_allowed_is_refused() -> None:
    with pytest.raises(HTTPException) as caught:
        MultipartForm(in_chunks(b"", 1), b"x" * 5000, 100)
    assert caught.value.status_code == 400


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 40))
async def test_no_body_is_answered_with_anything_but_an_error_or_parts(body: bytes, size: int) -> None:
    for whole in (body, FORM[:150] + body, FORM[:40] + body):
        with contextlib.suppress(HTTPException):
            await fields(MultipartForm(in_chunks(whole, size), b"B", 10_000))
