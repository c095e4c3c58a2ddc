import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.documents.downloads import (
    RangeNotSatisfiable,
    content_disposition,
    entity_tags,
    expected_versions,
    not_modified,
    parse_range,
    range_applies,
)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=5-", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=8-100", (8, 10)),
        ("Bytes= 1-2 ", (1, 3)),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٣-", None),
        (f"bytes={'9' * 400}-", None),
    ],
)
def test_a_range_is_read_or_passed_over(header: str | None, wanted: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=999-"])
def test_a_range_beyond_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


def test_an_empty_file_has_no_first_byte_and_an_empty_end() -> None:
    assert parse_range("bytes=-5", 0) is None
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=0-", 0)


@given(st.text(), st.integers(0, 100))
def test_no_header_makes_a_range_outside_the_file(text: str, size: int) -> None:
    try:
        wanted = parse_range(f"bytes={text}", size)
    except RangeNotSatisfiable:
        return
    if wanted is not None:
        assert 0 <= wanted[0] < wanted[1] <= size


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("report 1.pdf", 'attachment; filename="report 1.pdf"'),
        ('a"b.txt', "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("a\\b", "attachment; filename=\"a_b\"; filename*=UTF-8''a%5Cb"),
        ("é.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt"),
        ("a\r\nX-Evil: 1", "attachment; filename=\"a__X-Evil_ 1\"; filename*=UTF-8''a%0D%0AX-Evil%3A%201"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ],
)
def test_a_name_is_told_as_it_is_and_in_plain(filename: str, header: str) -> None:
    assert content_disposition(filename) == header


@given(st.text(min_size=1).filter(lambda name: not any("\ud800" <= c <= "\udfff" for c in name)))
def test_no_name_breaks_out_of_its_header(filename: str) -> None:
    header = content_disposition(filename)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_entity_tags_are_compared_as_the_header_demands() -> None:
    assert entity_tags('W/"a", "b","c d"', weak=True) == ["a", "b"]
    assert entity_tags('W/"a", "b"', weak=False) == ["b"]
    assert not_modified('W/"x", "sum"', "sum")
    assert not_modified("*", "sum")
    assert not not_modified('"other"', "sum")
    assert not not_modified(None, "sum")
    assert range_applies(None, "sum")
    assert range_applies('"sum"', "sum")
    assert not range_applies('W/"sum"', "sum")
    assert not range_applies("Tue, 24 Nov 2026 00:00:00 GMT", "sum")


def test_versions_and_the_bytes_checksum_count_for_if_match() -> None:
    assert expected_versions({}, "sum") is None
    assert expected_versions({"if-match": "*"}, "sum") is None
    assert expected_versions({"if-match": '"sum"'}, "sum") is None
    assert expected_versions({"if-match": '"1", W/"2", "x", "3"'}, "sum") == [1, 3]
    assert expected_versions({"if-match": "nonsense"}, None) == []
