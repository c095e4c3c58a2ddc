"""What may be a session's id."""

import pytest

from agent_bus.identifiers import check_session_id


@pytest.mark.parametrize("value", ["a", "x" * 200, "*", "a:b c?d#e", "漢", "...", "{}", " "])
def test_any_text_may_be_an_id(value: str) -> None:
    assert check_session_id(value) == value


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a\\b", "a\nb", "\x00", "\x85", "x" * 201, "\ud800"])
def test_what_no_path_can_name_may_not(value: str) -> None:
    with pytest.raises(ValueError, match="session id"):
        check_session_id(value)
