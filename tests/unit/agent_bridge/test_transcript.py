import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_bridge import transcript
from agent_bridge.transcript import ANSWERS_REMEMBERED, Lines, Said, TranscriptFile, TranscriptReader, Transcripts

NO_TOKENS = {"input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0}
MOMENT = "2026-11-24T18:32:07.176Z"


def answer(
    name: str = "msg_1",
    *,
    output: int = 42,
    text: str = "",
    stop_reason: str | None = "tool_use",
    **more: Any,
) -> dict[str, Any]:
    """A line of an answer as the program writes it, with what nobody asked for."""
    usage = {
        "input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": output,
        "service_tier": "standard", "iterations": [],
    }  # fmt: skip
    block = {"type": "text", "text": text} if text else {"type": "tool_use", "id": "toolu_1", "name": "Bash"}
    message = {
        "id": name, "type": "message", "role": "assistant", "model": "m", "content": [block],
        "stop_reason": stop_reason, "usage": usage,
    }  # fmt: skip
    return {"type": "assistant", "message": message, "timestamp": MOMENT, "sessionId": "s", **more}


def costs(since: int | None = 1, **models: object) -> dict[str, Any]:
    begun = {} if since is None else {"startTime": since}
    return {"type": "cost-state", **begun, "modelUsage": {name: {"costUSD": cost} for name, cost in models.items()}}


def interruption(text: str, **more: object) -> dict[str, Any]:
    message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return {"type": "user", "promptId": "p1", "message": message, "timestamp": MOMENT, **more}


def as_bytes(*entries: dict[str, Any] | bytes) -> bytes:
    return b"".join(entry if isinstance(entry, bytes) else json.dumps(entry).encode() + b"\n" for entry in entries)


def said_by(reader: TranscriptReader, *entries: dict[str, Any]) -> list[Said]:
    return [said for entry in entries for said in reader.read(json.dumps(entry).encode())]


def of_type(event_type: str, told: Iterable[Said]) -> list[Any]:
    return [said.fields for said in told if said.event_type == event_type]


def output_tokens(told: Iterable[Said]) -> int:
    return sum(usage["output_tokens"] for usage in of_type("usage", told))


def cost(told: Iterable[Said]) -> float:
    return float(sum(usage["cost_usd"] or 0 for usage in of_type("usage", told)))


class TestUsage:
    def test_an_answer_says_what_it_took(self) -> None:
        (usage,) = of_type("usage", said_by(TranscriptReader(), answer()))
        assert usage == {
            "model": "m", "input_tokens": 100, "output_tokens": 42, "cache_read_tokens": 30, "cache_write_tokens": 20,
            "cost_usd": None,
        }  # fmt: skip

    def test_an_answer_of_several_lines_counts_once(self) -> None:
        told = said_by(TranscriptReader(), answer(text="a"), answer(), answer(), answer("msg_2"))
        assert [usage["output_tokens"] for usage in of_type("usage", told)] == [42, 42]

    def test_what_an_answer_grows_by_is_added(self) -> None:
        told = said_by(TranscriptReader(), *(answer(output=output) for output in (1, 1, 10, 42)))
        assert [usage["output_tokens"] for usage in of_type("usage", told)] == [1, 9, 32]
        assert [usage["input_tokens"] for usage in of_type("usage", told)] == [100, 0, 0]

    def test_a_line_that_says_less_takes_nothing_away_and_adds_nothing_twice(self) -> None:
        told = said_by(TranscriptReader(), *(answer(output=output) for output in (42, 1, 42)))
        assert output_tokens(told) == 42

    def test_answers_of_subagents_written_at_the_same_time_are_kept_apart(self) -> None:
        lines = [answer(f"msg_{n}", output=output) for output in (1, 5) for n in range(ANSWERS_REMEMBERED)]
        assert output_tokens(said_by(TranscriptReader(), *lines)) == 5 * ANSWERS_REMEMBERED

    def test_so_many_answers_are_remembered_and_no_more(self) -> None:
        reader = TranscriptReader()
        said_by(reader, *(answer(f"msg_{n}") for n in range(10 * ANSWERS_REMEMBERED)))
        assert len(reader._counted) == ANSWERS_REMEMBERED

    def test_a_subagents_answers_say_whose_they_are(self) -> None:
        told = said_by(TranscriptReader(), answer(text="hi", agentId="a1"), answer(agentId={"not": "one"}))
        assert [said.fields.get("agent_id") for said in told] == ["a1", "a1"]

    @pytest.mark.parametrize(
        "line",
        [
            {"type": "user", "message": {"role": "assistant"}},
            {"type": "assistant"},
            {"type": "assistant", "message": "text"},
            {"type": "assistant", "message": {"role": "assistant"}},
            {"type": "assistant", "message": {"role": "assistant", "id": 5, "usage": {"output_tokens": 5}}},
            {"type": "assistant", "message": {"role": "assistant", "id": "a", "usage": []}},
            {"type": "assistant", "message": {"role": "assistant", "id": "a", "usage": {"output_tokens": "5"}}},
            {"type": "assistant", "message": {"role": "assistant", "id": "a", "usage": {"output_tokens": -5}}},
            {"type": "assistant", "message": {"role": "assistant", "id": "a", "usage": {"output_tokens": True}}},
            {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": 5}, 7, None]}},
            {"type": "assistant", "message": {"role": "assistant", "content": "text"}},
            {"type": "cost-state", "modelUsage": []},
            {"type": "cost-state", "modelUsage": {"m": None, "n": {"costUSD": "1"}, "o": {"costUSD": True}}},
            {"type": "cost-state", "modelUsage": {"m": {"costUSD": -1}}},
            ["assistant"],
            "assistant",
        ],
        ids=json.dumps,
    )
    def test_what_is_none_of_it_is_passed_over(self, line: Any) -> None:
        assert list(TranscriptReader().read(json.dumps(line).encode())) == []

    def test_a_made_up_answer_took_nothing(self) -> None:
        line = answer(text="API Error")
        line["message"]["model"] = "<synthetic>"
        told = said_by(TranscriptReader(), line)
        assert of_type("usage", told) == []
        assert len(of_type("message", told)) == 1


class TestCosts:
    def test_the_difference_to_the_sum_before_is_told(self) -> None:
        told = said_by(TranscriptReader(), costs(m=0.1, n=1), costs(m=0.1, n=3), costs(m=0.3, n=3))
        assert [(usage["model"], usage["cost_usd"]) for usage in of_type("usage", told)] == [
            ("m", 0.1), ("n", 1.0), ("n", 2.0), ("m", 0.2),
        ]  # fmt: skip
        assert NO_TOKENS.items() <= of_type("usage", told)[0].items()

    @pytest.mark.parametrize("since", [1, None])
    def test_a_program_may_count_from_zero_again(self, since: int | None) -> None:
        assert cost(said_by(TranscriptReader(), costs(since, m=1.0), costs(since, m=0.25))) == 1.25

    def test_another_beginning_is_another_sum_although_it_is_more(self) -> None:
        assert cost(said_by(TranscriptReader(), costs(1, m=1.0), costs(2, m=1.5), costs(2, m=1.75))) == 2.75

    def test_many_small_amounts_do_not_drift(self) -> None:
        told = said_by(TranscriptReader(), *(costs(m=n * 4e-10) for n in range(1, 10_001)))
        assert round(cost(told), 9) == round(4e-10 * 10_000, 9)


class TestText:
    def test_what_the_model_says_between_its_tools_is_a_message(self) -> None:
        (message,) = of_type("message", said_by(TranscriptReader(), answer(text="let me see")))
        assert message == {
            "role": "assistant", "content": [{"type": "text", "text": "let me see"}], "said_at": MOMENT,
        }  # fmt: skip

    def test_the_last_words_of_a_turn_are_left_to_the_hook(self) -> None:
        told = said_by(TranscriptReader(), answer(text="bye", stop_reason="end_turn"))
        assert of_type("message", told) == []
        assert output_tokens(told) == 42

    def test_words_before_the_last_ones_are_told_however_they_are_written(self) -> None:
        """The hook brings the last block of an answer only."""
        several = answer(stop_reason="end_turn")
        several["message"]["content"] = [{"type": "text", "text": text} for text in ("first", "last")]
        (message,) = of_type("message", said_by(TranscriptReader(), several))
        assert message["content"] == [{"type": "text", "text": "first"}]

        reader = TranscriptReader()
        lines = [answer("msg_1", text=text, stop_reason="end_turn") for text in ("first", "second", "last")]
        told = [of_type("message", said_by(reader, line)) for line in lines]
        assert [[message["content"][0]["text"] for message in messages] for messages in told] == [
            [],
            ["first"],
            ["second"],
        ]

    @pytest.mark.parametrize("note", ["[Request interrupted by user]", "[Request interrupted by user for tool use]"])
    def test_a_turn_that_a_person_interrupts_is_told_with_its_prompt(self, note: str) -> None:
        line = interruption(note, rowSource="harness")
        assert [said.fields for said in said_by(TranscriptReader(), line) if said.event_type == "turn_interrupted"] == [
            {"prompt_id": "p1", "said_at": MOMENT}
        ]

    @pytest.mark.parametrize("more", [{"rowSource": "local"}, {"isSidechain": True}])
    def test_the_same_words_of_a_person_or_to_a_subagent_are_none(self, more: dict[str, object]) -> None:
        assert said_by(TranscriptReader(), interruption("[Request interrupted by user]", **more)) == []

    @pytest.mark.parametrize("reason", ["tool_use", "max_tokens", "pause_turn", None])
    def test_all_others_are_not(self, reason: str | None) -> None:
        assert len(of_type("message", said_by(TranscriptReader(), answer(text="hi", stop_reason=reason)))) == 1

    def test_thoughts_and_empty_words_are_not_told(self) -> None:
        line = answer()
        line["message"]["content"] = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": ""}]
        assert of_type("message", said_by(TranscriptReader(), line)) == []


class TestEarlierAnswers:
    """A fork begins with a copy of what was said before it, in a file that was not there when it began."""

    def test_they_are_not_told_and_not_counted(self) -> None:
        reader = TranscriptReader(since="2026-11-24T18:32:07.500000+00:00")
        old = answer("msg_1", text="old", timestamp="2026-11-24T18:32:07.499Z")
        new = answer("msg_2", text="new", timestamp="2026-11-24T18:32:07.500Z")
        told = said_by(reader, old, new)
        assert output_tokens(told) == 42
        assert [message["content"][0]["text"] for message in of_type("message", told)] == ["new"]

    @pytest.mark.parametrize("moment", [None, 5])
    def test_what_has_no_moment_is_told(self, moment: object) -> None:
        assert said_by(TranscriptReader(since="2026-11-24T18:32:07.500000+00:00"), answer(timestamp=moment))

    def test_what_follows_of_an_earlier_answer_is_the_difference(self) -> None:
        reader = TranscriptReader(since="2026-11-24T18:32:08.000000+00:00")
        later = "2026-11-24T18:32:08.001Z"
        assert output_tokens(said_by(reader, answer(output=40), answer(output=42, timestamp=later))) == 2


class TestBrokenLines:
    @pytest.mark.parametrize(
        "line",
        [
            b"", b"\0\0\0", b'"assistant"', b'{"type":"assistant"', b'{"type": "assistant", "message": }', b"\xff\xfe",
            b'{"type":"assistant","message":' + b"[" * 100_000, b'{"type":"assi{"type":"assistant"}',
        ],
        ids=lambda line: repr(line[:40]),
    )  # fmt: skip
    def test_garbage_is_passed_over(self, line: bytes) -> None:
        assert list(TranscriptReader().read(line)) == []

    def test_a_broken_byte_costs_no_answer(self) -> None:
        line = json.dumps(answer(text="caf?")).encode().replace(b"?", b"\xc3")
        told = list(TranscriptReader().read(line))
        assert output_tokens(told) == 42
        assert of_type("message", told)[0]["content"][0]["text"] == "caf�"

    def test_half_an_emoji_costs_no_answer(self) -> None:
        line = json.dumps(answer(text="\ud83d")).encode()
        assert b"\\ud83d" in line
        assert output_tokens(TranscriptReader().read(line)) == 42


class TestLines:
    @given(st.lists(st.binary(max_size=8)), st.integers(0, 6))
    def test_lines_are_as_if_they_had_come_at_once(self, chunks: list[bytes], longest: int) -> None:
        lines = Lines(longest=longest)
        found = [item for chunk in chunks for item in lines.feed(chunk)]
        expected, start = [], 0
        for line in b"".join(chunks).split(b"\n")[:-1]:
            if len(line) <= longest:
                expected.append((start, line))
            start += len(line) + 1
        assert found == expected

    def test_a_line_without_end_is_not_kept(self) -> None:
        lines = Lines(longest=1000)
        for _ in range(100):
            assert list(lines.feed(b"x" * 100)) == []
        assert sum(map(len, lines._pieces)) <= 1000
        assert list(lines.feed(b"\nnext\n")) == [(10_001, b"next")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.jsonl"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


CONVERSATION = as_bytes(
    {"type": "user", "message": {"role": "user", "content": "do not say \"assistant\""}},
    answer(output=1, text="let me see"),
    answer(),
    b"garbage \xff\n",
    costs(m=0.5),
    b"\n",
    {"type": "user", "toolUseResult": "x" * 300},
    answer("msg_2", text="naïve 🙂"),
    answer("msg_3", text="bye", stop_reason="end_turn"),
    costs(m=0.75),
)  # fmt: skip


def chunked(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        yield data[start:end]


class TestFile:
    @given(cuts=st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
    @settings(max_examples=150, deadline=None)
    def test_the_reports_do_not_depend_on_where_the_writing_pauses(
        self, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
    ) -> None:
        path = tmp_path_factory.mktemp("transcript") / "s.jsonl"
        file, told = TranscriptFile(os.fspath(path)), []
        for chunk in chunked(CONVERSATION, cuts):
            append(path, chunk)
            told += list(file.news())
        reader = TranscriptReader()
        assert told == [said for line in CONVERSATION.splitlines() for said in reader.read(line)]
        assert (output_tokens(told), cost(told)) == (126, 0.75)

    @given(cuts=st.lists(st.integers(0, len(CONVERSATION)), max_size=6), skip=st.integers(0, len(CONVERSATION)))
    @settings(max_examples=150, deadline=None)
    def test_what_was_there_before_is_not_told_whatever_is_read_at_once(
        self, tmp_path_factory: pytest.TempPathFactory, cuts: list[int], skip: int
    ) -> None:
        path = tmp_path_factory.mktemp("transcript") / "s.jsonl"
        file, told = TranscriptFile(os.fspath(path), skip_bytes=skip), []
        for chunk in chunked(CONVERSATION, cuts):
            append(path, chunk)
            told += list(file.news())
        reader, expected, start = TranscriptReader(), [], 0
        for line in CONVERSATION.split(b"\n"):
            expected += [said for said in reader.read(line) if start >= skip]
            start += len(line) + 1
        assert told == expected

    def test_a_resumed_transcript_is_compared_with_and_not_told_again(self, path: Path) -> None:
        append(path, CONVERSATION)
        file = TranscriptFile(os.fspath(path), skip_bytes=len(CONVERSATION))
        assert list(file.news()) == []
        append(path, as_bytes(answer("msg_3", output=50), answer("msg_4"), costs(m=1.0)))
        told = list(file.news())
        assert (output_tokens(told), cost(told)) == (8 + 42, 0.25)

    def test_a_line_that_was_being_written_then_counts_as_there(self, path: Path) -> None:
        line = as_bytes(answer())
        append(path, line[:20])
        file = TranscriptFile(os.fspath(path), skip_bytes=20)
        append(path, line[20:] + as_bytes(answer("msg_2", output=7)))
        assert output_tokens(file.news()) == 7

    def test_megabytes_in_one_line_are_read_in_turns(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transcript, "MOST_AT_ONCE_BYTES", 1024 * 1024)
        append(
            path, as_bytes({"type": "user", "data": "x" * 3_000_000, "n": '"assistant"'}, answer(text="y" * 2_000_000))
        )
        file, looks, told = TranscriptFile(os.fspath(path)), 0, []
        while file.position < path.stat().st_size:
            told += list(file.news())
            looks += 1
        assert looks >= 5
        assert len(of_type("message", told)[0]["content"][0]["text"]) == 2_000_000

    def test_a_line_that_grows_slowly_is_not_read_over_and_over(self, path: Path) -> None:
        append(path, b"")
        file = TranscriptFile(os.fspath(path))
        began = time.process_time()
        for _ in range(500):
            append(path, b"x" * 20_000)
            list(file.news())
        # Putting the line together anew each time took two seconds.
        assert time.process_time() - began < 0.7
        append(path, b"\n" + as_bytes(answer()))
        assert output_tokens(file.news()) == 42

    def test_a_file_that_has_not_changed_is_not_opened(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        append(path, CONVERSATION)
        file = TranscriptFile(os.fspath(path))
        list(file.news())
        monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
        assert list(file.news()) == []

    def test_no_descriptor_is_left_open_where_there_is_a_folder_or_a_pipe(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for name in ("folder", "pipe"):
            file = TranscriptFile(os.fspath(tmp_path / name))
            for _ in range(5):
                assert list(file.news()) == []
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


class TestAnotherVersion:
    """A transcript that is written anew holds what was told already: money is not counted twice for it."""

    @pytest.fixture
    def file(self, path: Path) -> TranscriptFile:
        append(path, CONVERSATION)
        file = TranscriptFile(os.fspath(path))
        assert output_tokens(file.news()) == 126
        return file

    def goes_on(self, file: TranscriptFile, path: Path) -> None:
        append(path, as_bytes(answer("msg_9", output=9), costs(m=1.75)))
        told = list(file.news())
        assert (output_tokens(told), cost(told)) == (9, 1.0)

    @pytest.mark.parametrize("data", [CONVERSATION, CONVERSATION[:-300], CONVERSATION + b"\n" * 9], ids=len)
    def test_one_that_took_its_place_is_not_told_but_followed(
        self, file: TranscriptFile, path: Path, data: bytes
    ) -> None:
        path.with_suffix(".new").write_bytes(data)
        path.with_suffix(".new").replace(path)
        assert list(file.news()) == []
        append(path, b"\n" + as_bytes(costs(m=0.75)))
        list(file.news())
        self.goes_on(file, path)

    def test_one_that_was_cut_off_in_the_middle_of_a_line(self, file: TranscriptFile, path: Path) -> None:
        os.truncate(path, len(CONVERSATION) // 2)
        assert list(file.news()) == []
        append(path, b"\n" + as_bytes(costs(m=0.75)))
        list(file.news())
        self.goes_on(file, path)

    def test_one_that_was_emptied_is_followed_from_its_beginning(self, file: TranscriptFile, path: Path) -> None:
        os.truncate(path, 0)
        assert list(file.news()) == []
        self.goes_on(file, path)

    def test_one_that_was_away_for_a_while(self, file: TranscriptFile, path: Path) -> None:
        path.rename(path.with_suffix(".away"))
        with pytest.raises(FileNotFoundError):
            list(file.news())
        path.with_suffix(".away").rename(path)
        assert list(file.news()) == []
        self.goes_on(file, path)


class TestTranscripts:
    def test_there_need_be_none_yet(self, path: Path) -> None:
        transcripts = Transcripts(path)
        assert list(transcripts.news()) == []
        append(path, CONVERSATION)
        assert output_tokens(transcripts.news()) == 126
        assert transcripts.position == len(CONVERSATION)

    def test_subagents_are_read_as_they_appear(self, path: Path) -> None:
        transcripts = Transcripts(path)
        append(path, as_bytes(answer()))
        assert output_tokens(transcripts.news()) == 42
        folder = path.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        (folder / "agent-a.meta.json").write_text("{}")
        for name in ("agent-b.jsonl", "agent-a.jsonl"):
            # Its own answers may have the names of others'.
            append(folder / name, as_bytes(answer(output=5, agentId=name)))
            assert [usage["agent_id"] for usage in of_type("usage", transcripts.news())] == [name]
        append(folder / "agent-a.jsonl", as_bytes(answer(output=8, agentId="agent-a.jsonl")))
        assert output_tokens(transcripts.news()) == 3

    def test_subagents_of_a_resumed_session_have_been_told(self, path: Path) -> None:
        folder = path.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        append(path, as_bytes(answer()))
        append(folder / "old.jsonl", as_bytes(answer("msg_2")))
        transcripts = Transcripts(path, skip_bytes=path.stat().st_size)
        append(folder / "new.jsonl", as_bytes(answer("msg_3", output=1)))
        append(folder / "old.jsonl", as_bytes(answer("msg_4", output=2)))
        assert output_tokens(transcripts.news()) == 3

    def test_one_that_can_not_be_read_keeps_no_other_from_being_read(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = path.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        for file in (path, folder / "a.jsonl", folder / "b.jsonl"):
            append(file, as_bytes(answer()))
        opened = os.open

        def forbidding(name: str, flags: int) -> int:
            if name.endswith("a.jsonl"):
                raise PermissionError(13, "Permission denied", name)
            return opened(name, flags)

        monkeypatch.setattr(os, "open", forbidding)
        transcripts = Transcripts(path)
        with caplog.at_level(logging.WARNING):
            assert output_tokens([*transcripts.news(), *transcripts.news(), *transcripts.news()]) == 84
        assert caplog.text.count("can't be read") == 1
        monkeypatch.setattr(os, "open", opened)
        assert output_tokens(transcripts.news()) == 42

    def test_a_subagent_that_vanishes_between_two_looks_is_no_matter(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = path.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        listed = os.listdir
        monkeypatch.setattr(os, "listdir", lambda folder: [*listed(folder), "gone.jsonl"])
        append(path, as_bytes(answer()))
        assert list(Transcripts(path, skip_bytes=1).news()) == []

    @pytest.mark.parametrize("name", ["/", "/dev/null", "/dev/zero", "/proc/self/mem", "relative"])
    def test_paths_that_are_no_transcripts(self, name: str) -> None:
        assert list(Transcripts(Path(name), skip_bytes=5).news()) == []

    def test_looking_at_hundreds_of_subagents_costs_little(self, path: Path) -> None:
        folder = path.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        for number in range(300):
            append(folder / f"{number}.jsonl", as_bytes(answer()))
        transcripts = Transcripts(path)
        list(transcripts.news())
        began = time.process_time()
        for _ in range(20):
            assert list(transcripts.news()) == []
        # A millisecond, ten times a second; opening each took four times as long.
        assert (time.process_time() - began) / 20 < 0.01
