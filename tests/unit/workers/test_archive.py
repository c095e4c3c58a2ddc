from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from agent_bus.archive_format import Damaged
from agent_bus.archiving import Archiving
from agent_bus.blobs import BlobStoreFailed
from workers.archive import HistoriesStayed, archive_quiet


class Moves:
    """What comes of moving each of some sessions."""

    def __init__(self, **outcomes: bool | Exception) -> None:
        self.outcomes, self.tried = outcomes, list[str]()

    async def quiet(self, silence_seconds: float) -> AsyncIterator[str]:
        assert silence_seconds == 7
        for name in self.outcomes:
            yield name

    async def move(self, session_id: str, silence_seconds: float) -> bool:
        assert silence_seconds == 7
        self.tried.append(session_id)
        outcome = self.outcomes[session_id]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def job(moves: Moves, **options: Any) -> Any:
    return archive_quiet(cast(Archiving, moves), 7, **options)


async def test_those_that_moved_are_counted() -> None:
    assert await job(Moves(a=True, b=False, c=True)) == 2


async def test_one_that_can_not_be_moved_does_not_hold_up_the_others() -> None:
    moves = Moves(a=Damaged("torn"), b=True)
    with pytest.raises(HistoriesStayed, match=r"1 histories .* \(1 were\)"):
        await job(moves)
    assert moves.tried == ["a", "b"]


async def test_a_store_that_is_away_ends_the_job() -> None:
    moves = Moves(a=BlobStoreFailed("away"), b=True)
    with pytest.raises(BlobStoreFailed):
        await job(moves)
    assert moves.tried == ["a"]


async def test_a_job_ends_when_its_time_is_over() -> None:
    moves = Moves(a=True, b=True)
    assert await job(moves, seconds=-1) == 1
