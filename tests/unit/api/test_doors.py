"""How many are let in, and how many files the system allows for them. (With a server: test_http_protocol.py.)"""

import logging
import resource

import pytest

from api import doors
from api.doors import OTHER_FILES, SPARE, Doors


def test_the_log_is_told_again_only_after_there_was_room(caplog: pytest.LogCaptureFixture) -> None:
    small = Doors(most_connections=10, most_websockets=10)
    for connections in 10, 11, 10, 11, 11:
        assert small.full(connections) is (connections > 10)
    for count in 9, 10, 9, 10, 10:
        small.websockets = count
        assert small.let_in() is (count < 10)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert not small.full(5)
    assert small.full(11)
    assert len(caplog.records) == 3


class Files:
    """The system's limit on open files, as a test wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.now = (soft, hard)
        monkeypatch.setattr(doors.resource, "getrlimit", lambda _: self.now)
        monkeypatch.setattr(doors.resource, "setrlimit", self._set)

    def _set(self, _: int, limits: tuple[int, int]) -> None:
        if limits[0] == 666:
            raise ValueError("not so many")
        self.now = limits


NEEDED = 20 + SPARE + OTHER_FILES


@pytest.mark.parametrize(
    ("soft", "hard", "then", "said"),
    [
        (100, 10**6, NEEDED, ""),
        (100, resource.RLIM_INFINITY, NEEDED, ""),
        (10**6, 10**6, 10**6, ""),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY, ""),
        (100, 250, 250, f"there would have to be {NEEDED}"),
        (100, 300, 300, ""),
        (100, 666, 100, "can't be raised"),
    ],
)
def test_the_system_is_asked_for_as_many_files_as_there_may_be_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, soft: int, hard: int, then: int, said: str
) -> None:
    caplog.set_level(logging.INFO)
    # One that it refuses must be what is wanted.
    most = 10 if hard != 666 else 666
    files = Files(monkeypatch, soft, hard)
    Doors(most_connections=most, most_websockets=10).allow_files()
    assert files.now == (then, hard)
    assert said in caplog.text
    assert bool(said) is bool(caplog.text)
