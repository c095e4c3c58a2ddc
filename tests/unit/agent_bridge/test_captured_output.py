import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bridge import captured_output
from agent_bridge.captured_output import HEAD_BYTES, PIECE_BYTES, TAIL_BYTES, CapturedOutput, Gap, OutputWindow


class TestOutputWindow:
    def test_writes_are_joined(self) -> None:
        window = OutputWindow()
        window.feed(b"one ")
        window.feed(b"two")
        assert window.take() == ["one two"]
        assert window.take() == []

    def test_a_character_in_two_writes_waits_to_be_whole(self) -> None:
        window = OutputWindow()
        window.feed("é".encode()[:1])
        assert window.take() == []
        window.feed("é".encode()[1:])
        assert window.take() == ["é"]

    def test_a_character_that_never_becomes_whole_is_replaced_at_the_end(self) -> None:
        window = OutputWindow()
        window.feed("a€".encode()[:-1])
        assert window.take() == ["a"]
        assert window.take(final=True) == ["�"]

    def test_bytes_that_are_no_text_are_replaced(self) -> None:
        window = OutputWindow()
        window.feed(b"a\xff\xfeb\0")
        assert window.take() == ["a��b\0"]

    def test_too_much_keeps_the_beginning_and_the_end_and_counts_the_rest(self) -> None:
        window = OutputWindow(head_bytes=4, tail_bytes=3)
        for data in (b"abc", b"defgh", b"ijklm", b"n"):
            window.feed(data)
        assert window.take() == ["abcd", Gap(7), "lmn"]
        window.feed(b"op")
        assert window.take() == ["op"]

    def test_a_gap_does_not_leave_broken_characters_at_its_edges(self) -> None:
        window = OutputWindow(head_bytes=6, tail_bytes=8)
        window.feed("€".encode() * 10)
        head, gap, tail = window.take()
        assert (head, tail) == ("€€", "€€")
        assert gap == Gap(18)

    def test_a_long_text_comes_in_pieces(self) -> None:
        window = OutputWindow()
        window.feed(b"x" * (PIECE_BYTES + 1))
        assert [len(piece) for piece in window.take() if isinstance(piece, str)] == [PIECE_BYTES, 1]

    @given(st.lists(st.tuples(st.binary(max_size=40), st.booleans())))
    def test_nothing_is_lost_uncounted(self, writes: list[tuple[bytes, bool]]) -> None:
        window = OutputWindow(head_bytes=16, tail_bytes=8)
        # One byte is one character here, so that bytes can be counted in the text.
        written, taken = 0, []
        for data, take in writes:
            plain = bytes(byte & 0x7F for byte in data)
            window.feed(plain)
            written += len(plain)
            taken += window.take() if take else []
        taken += window.take(final=True)
        assert written == sum(piece.size if isinstance(piece, Gap) else len(piece) for piece in taken)

    @given(st.text(), st.integers(1, 7))
    def test_text_survives_being_written_in_any_pieces(self, text: str, size: int) -> None:
        window, data, taken = OutputWindow(), text.encode(), []
        for start in range(0, len(data), size):
            window.feed(data[start : start + size])
            taken += window.take()
        taken += window.take(final=True)
        assert "".join(piece for piece in taken if isinstance(piece, str)) == text


class Told:
    """What the session was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    async def emit(self, event_type: str, **fields: Any) -> None:
        self.events.append((event_type, fields))

    @property
    def text(self) -> str:
        return "".join(fields["text"] for kind, fields in self.events if kind == "output")

    @property
    def dropped(self) -> int:
        return sum(fields["dropped_bytes"] for kind, fields in self.events if kind == "output_dropped")


class TestCapturedOutput:
    async def test_bytes_arrive_unchanged_and_as_events(self, tmp_path: Path) -> None:
        told, data = Told(), bytes(range(256)) * 64
        source, writing = os.pipe()
        with (tmp_path / "out").open("wb") as out:
            output = CapturedOutput(told.emit)
            output.attach("stdout", source, out.fileno())
            os.write(writing, data)
            os.close(writing)
            await output.close(asyncio.Event())
        assert (tmp_path / "out").read_bytes() == data
        assert told.text == data.decode("utf-8", "replace")
        assert {fields["stream"] for _, fields in told.events} == {"stdout"}

    async def test_a_flood_is_passed_on_whole_and_told_in_part(self, tmp_path: Path) -> None:
        told, block, blocks = Told(), b"y" * 65536, 160
        source, writing = os.pipe()

        def flood() -> None:
            for _ in range(blocks):
                os.write(writing, block)
            os.close(writing)

        with (tmp_path / "out").open("wb") as out:
            output = CapturedOutput(told.emit)
            output.attach("stdout", source, out.fileno())
            await asyncio.to_thread(flood)
            await output.close(asyncio.Event())
        total = len(block) * blocks
        assert (tmp_path / "out").stat().st_size == total
        assert len(told.text) + told.dropped == total
        assert told.dropped > 0
        assert max(len(fields.get("text", "")) for _, fields in told.events) <= PIECE_BYTES

    async def test_what_still_holds_the_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        told = Told()
        source, writing = os.pipe()
        try:
            with (tmp_path / "out").open("wb") as out:
                output = CapturedOutput(told.emit)
                output.attach("stderr", source, out.fileno())
                os.write(writing, b"last words")
                await output.close(asyncio.Event())
            assert told.events == [("output", {"stream": "stderr", "text": "last words"})]
        finally:
            os.close(writing)

    async def test_a_reader_who_takes_his_time_gets_everything_unless_the_end_is_urgent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(captured_output, "_URGENT_SECONDS", 0.0)
        told, size = Told(), 130_000
        source, writing = os.pipe()
        reading, destination = os.pipe()
        output, urgent = CapturedOutput(told.emit), asyncio.Event()
        output.attach("stdout", source, destination)
        with os.fdopen(writing, "wb") as pipe:
            await asyncio.to_thread(pipe.write, b"x" * size)
        closing = asyncio.create_task(output.close(urgent))
        # The pipe to the reader is full, and he does not read.
        done, _ = await asyncio.wait({closing}, timeout=0.3)
        assert not done
        urgent.set()
        await closing
        # Lets the thread that is held up go.
        received = 0
        while received < size:
            received += len(os.read(reading, 65536))
        for descriptor in (reading, destination):
            os.close(descriptor)

    async def test_when_nobody_reads_our_output_the_command_gets_a_broken_pipe(self) -> None:
        told = Told()
        source, writing = os.pipe()
        reading, destination = os.pipe()
        os.close(reading)
        output = CapturedOutput(told.emit)
        output.attach("stdout", source, destination)
        refused = threading.Event()

        def write() -> None:
            try:
                while True:
                    os.write(writing, b"x" * 4096)
            except BrokenPipeError:
                refused.set()

        await asyncio.to_thread(write)
        assert refused.is_set()
        await output.close(asyncio.Event())
        os.close(writing)
        os.close(destination)

    async def test_an_output_made_non_blocking_by_others_gets_everything(self) -> None:
        told, data = Told(), os.urandom(400_000)
        source, writing = os.pipe()
        reading, destination = os.pipe()
        os.set_blocking(destination, False)
        output = CapturedOutput(told.emit)
        output.attach("stdout", source, destination)
        received = bytearray()

        def write() -> None:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(data)

        def read() -> None:
            while len(received) < len(data):
                received.extend(os.read(reading, 4096))

        await asyncio.gather(asyncio.to_thread(write), asyncio.to_thread(read))
        await output.close(asyncio.Event())
        assert bytes(received) == data
        for descriptor in (reading, destination):
            os.close(descriptor)


def test_an_interval_can_not_hold_more_than_is_told_of_it() -> None:
    window = OutputWindow()
    window.feed(b"z" * (HEAD_BYTES + TAIL_BYTES))
    assert all(isinstance(piece, str) for piece in window.take())
