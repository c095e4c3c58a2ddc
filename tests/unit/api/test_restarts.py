import signal

import pytest

from api.restarts import Restarts, how_it_ended


def test_short_lives_are_followed_by_longer_and_longer_waits_up_to_a_limit() -> None:
    restarts = Restarts(first_seconds=1, longest_seconds=5, steady_seconds=10)
    assert [restarts.ended(0.5) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_steady_life_makes_the_next_wait_short_again() -> None:
    restarts = Restarts(first_seconds=1, longest_seconds=5, steady_seconds=10)
    for _ in range(4):
        restarts.ended(0)
    assert restarts.ended(10) == 1
    assert restarts.ended(0) == 2


def test_a_child_that_never_lives_can_fail_for_ever() -> None:
    restarts = Restarts(longest_seconds=5)
    assert {restarts.ended(0) for _ in range(10_000)} >= {5}


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (0, "ended by itself"),
        (3, "ended with exit code 3"),
        (-signal.SIGKILL, "was killed by SIGKILL"),
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (-200, "was killed by signal 200"),
    ],
)
def test_an_end_is_told_in_words(returncode: int, words: str) -> None:
    assert how_it_ended(returncode) == words
