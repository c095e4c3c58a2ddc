from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bridge.http_answer import BODY_BYTES, HEAD_BYTES, Answer

SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCONTENT-length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"2;note=1\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n"
)  # fmt: skip
UNSIZED = b"HTTP/1.0 200 OK\r\n\r\nhello"
AFTER_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + SIZED


def read(*pieces: bytes) -> tuple[int, bytes]:
    rest = iter(pieces)
    return Answer(lambda: next(rest, b"")).read()


@pytest.mark.parametrize("answer", [SIZED, CHUNKED, UNSIZED, AFTER_INTERIM])
@given(data=st.data())
def test_an_answer_is_read_however_it_is_cut(answer: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1), max_size=8)))
    edges = [0, *cuts, len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(edges)]
    assert read(*pieces) == (200, b"hello")


def test_nothing_is_waited_for_behind_a_body_of_known_length() -> None:
    def pieces() -> Iterator[bytes]:
        yield SIZED
        raise AssertionError("asked for more")

    rest = pieces()
    assert Answer(lambda: next(rest)).read() == (200, b"hello")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content_has_no_body(status: int) -> None:
    assert read(b"HTTP/1.1 %d Nothing\r\nContent-Length: 7\r\n\r\n" % status) == (status, b"")


def test_an_error_has_its_status_and_body() -> None:
    assert read(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno") == (503, b"no")


def test_whether_there_is_an_answer_is_known_from_its_first_bytes() -> None:
    rest = iter([b"H", b"TTP/1.1 413 Too Large\r\n\r\n"])
    answer = Answer(lambda: next(rest, b""))
    assert answer.begins()
    assert answer.read() == (413, b"")
    assert not Answer(lambda: b"").begins()


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ((), "broken off"),
        ((b"HTTP/1.1 200 OK\r\n",), "broken off"),
        ((SIZED[:-1],), "broken off"),
        ((CHUNKED[:-20],), "broken off"),
        ((b"SSH-2.0-OpenSSH_9.9\r\n\r\n",), "does not speak HTTP"),
        ((b"HTTP/1.1 twohundred\r\n\r\n",), "does not speak HTTP"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",), "no proper length"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",), "invalid literal"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",), "no proper length"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1),), "longer than"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",), "longer than"),
        ((b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * HEAD_BYTES] * (BODY_BYTES // HEAD_BYTES + 1)), "longer than"),
        ((b"HTTP/1.1 200 OK\r\n", b"x" * HEAD_BYTES, b"x", b"x"), "no end of line"),
    ],
)
def test_what_is_no_proper_answer_is_refused(pieces: tuple[bytes, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(*pieces)


def test_the_largest_body_is_taken() -> None:
    body = b"x" * BODY_BYTES
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES, body) == (200, body)
