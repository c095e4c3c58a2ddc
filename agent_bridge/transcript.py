"""Claude Code's transcript: what the model said and what it cost, read as the program writes it.

A transcript is a file of JSON lines; each subagent has one of its own beside it. Seen on Claude Code 2.1.331. What is
not understood is passed over: the format is the program's own and changes.
"""

import json
import logging
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

logger = logging.getLogger("agent_bridge.transcript")

# What a usage event says, and what the transcript calls it.
TOKENS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}
# How the program notes that a person has interrupted it. No hook tells of that.
INTERRUPTED = b"[Request interrupted by user"
# Lines of one answer follow each other closely; so many answers may be written at the same time.
ANSWERS_REMEMBERED = 64
# A longer line is a tool's result with pictures in it, and no answer of the model's.
LONGEST_LINE_BYTES = 16 * 1024 * 1024
# Read of one file at once: 20 ms of work, after which others have their turn.
MOST_AT_ONCE_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
# So much of a time in UTC is written alike by everybody: to the millisecond.
_MILLISECONDS = len("2026-01-24T10:00:00.123")


@dataclass(frozen=True, slots=True)
class Said:
    """Something to report: an event's type and fields."""

    event_type: str
    fields: Mapping[str, Any]


class Lines:
    """Puts lines together that come in pieces."""

    def __init__(self, *, longest: int = LONGEST_LINE_BYTES) -> None:
        self._longest = longest
        self._start = 0
        self._length = 0
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Each line that is complete now, and where it begins. One that is too long is passed over, and not kept."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            length = self._length + len(end)
            line = b"".join((*self._pieces, end)) if length <= self._longest else None
            start, self._start = self._start, self._start + length + 1
            self._length, self._pieces = 0, []
            if line is not None:
                yield start, line
        self._length += len(rest)
        if self._length <= self._longest:
            self._pieces.append(rest)
        else:
            self._pieces = []


class TranscriptReader:
    """Makes reports of one transcript's lines. Holds no file.

    An answer of the model is written as several lines, each with the answer's usage so far: the difference to what was
    counted is reported. Costs come as sums: the difference again.
    """

    def __init__(self, *, since: str = "") -> None:
        """since: answers of earlier are not reported. A fork of a session begins with a copy of what was before it."""
        self._since = since[:_MILLISECONDS]
        self._counted: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._costs: dict[str, float] = {}
        self._costs_since: object = None
        self._last_words: tuple[object, Said] | None = None

    def skip(self, line: bytes) -> None:
        """Takes notice of a line that was there before, so that what follows is compared with it."""
        for _ in self.read(line):
            pass

    def read(self, line: bytes) -> Iterator[Said]:
        """What one line brings."""
        if b'"assistant"' not in line and b'"cost-state"' not in line and INTERRUPTED not in line:
            return
        match _parsed(line):
            case {"type": "assistant", "message": {"role": "assistant"} as message, **entry}:
                agent, moment = entry.get("agentId"), entry.get("timestamp")
                more = {"agent_id": agent} if isinstance(agent, str) else {}
                usage = self._usage(message)
                if isinstance(moment, str) and moment[:_MILLISECONDS] < self._since:
                    return
                if usage is not None:
                    yield Said("usage", {**usage, "cost_usd": None, **more})
                yield from self._text(message, more | {"said_at": moment})
            case {"type": "user", "promptId": str(prompt_id), "message": {"content": [{"text": str(text)}]}, **entry}:
                # What a person types says so, and a subagent's turn is not the program's.
                typed = entry.get("rowSource") == "local" or entry.get("isSidechain")
                if text.startswith(INTERRUPTED.decode()) and not typed:
                    yield Said("turn_interrupted", {"prompt_id": prompt_id, "said_at": entry.get("timestamp")})
            case {"type": "cost-state", "modelUsage": dict(models), **entry}:
                yield from self._cost(models, entry.get("startTime"))

    def _usage(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        answer, model, usage = message.get("id"), message.get("model"), message.get("usage")
        # A made-up answer, such as a notice of the program's own, has no model's name.
        if not isinstance(answer, str) or not isinstance(usage, dict) or model == "<synthetic>":
            return None
        before = self._counted.get(answer, {})
        now = {ours: max(_count(usage.get(theirs)), before.get(ours, 0)) for ours, theirs in TOKENS.items()}
        self._counted[answer] = now
        self._counted.move_to_end(answer)
        while len(self._counted) > ANSWERS_REMEMBERED:
            self._counted.popitem(last=False)
        added = {name: count - before.get(name, 0) for name, count in now.items()}
        return {"model": model if isinstance(model, str) else None, **added} if any(added.values()) else None

    def _text(self, message: Mapping[str, Any], more: Mapping[str, Any]) -> Iterator[Said]:
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        texts = [block for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
        texts = [block for block in texts if isinstance(block.get("text"), str) and block["text"]]
        if not texts:
            return
        answer = message.get("id")
        if self._last_words is not None and self._last_words[0] == answer:
            # They were not the last.
            yield self._last_words[1]
        self._last_words = None
        if message.get("stop_reason") == "end_turn":
            # The last words of a turn come by the hook that tells of its end.
            last = texts.pop()
            self._last_words = answer, Said("message", {"role": "assistant", "content": [last], **more})
        if texts:
            yield Said("message", {"role": "assistant", "content": texts, **more})

    def _cost(self, models: Mapping[str, Any], since: object) -> Iterator[Said]:
        # A program that goes on with a session goes on with its sums and their beginning, or begins anew.
        if since != self._costs_since:
            self._costs, self._costs_since = {}, since
        for model, figures in models.items():
            said = figures.get("costUSD") if isinstance(figures, dict) else None
            if not isinstance(said, int | float) or isinstance(said, bool) or said < 0:
                continue
            cost, before = round(said, 9), self._costs.get(model, 0.0)
            # Versions that do not say since when they count begin from zero all the same.
            added = cost - before if cost >= before else cost
            self._costs[model] = cost
            if added > 0:
                yield Said("usage", {"model": model, **dict.fromkeys(TOKENS, 0), "cost_usd": round(added, 9)})


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        # Half an emoji is text to the program, as a broken byte may be; what the answer cost counts all the same.
        try:
            return json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


class TranscriptFile:
    """One transcript as a file that grows. A line that is not complete waits for its end.

    A file that takes the place of another, or has become shorter, is another version of the same conversation: what it
    holds when that is seen counts as told. So nothing is counted twice; what was new in it is lost.
    """

    def __init__(self, path: str, *, skip_bytes: int = 0, since: str = "") -> None:
        """skip_bytes: how much of the file was there before, and is not reported. since: see TranscriptReader."""
        self._path = path
        self._skip = skip_bytes
        self._position = 0
        self._which: tuple[int, int] | None = None
        self._lines = Lines()
        self._reader = TranscriptReader(since=since)

    def news(self) -> Iterator[Said]:
        """What has been written since the last call, as far as one goes at once. Raises OSError."""
        status = os.stat(self._path)  # noqa: PTH116  asked ten times a second, of each of many files
        if (status.st_dev, status.st_ino, status.st_size) == (*(self._which or (None, None)), self._position):
            return
        # A pipe by that name must not hold us up.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                self._look_at(status)
                yield from self._read(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> Iterator[Said]:
        most = self._position + MOST_AT_ONCE_BYTES
        while self._position < most and (chunk := os.pread(descriptor, _CHUNK_BYTES, self._position)):
            self._position += len(chunk)
            for start, line in self._lines.feed(chunk):
                if start < self._skip:
                    self._reader.skip(line)
                else:
                    yield from self._reader.read(line)

    def _look_at(self, status: os.stat_result) -> None:
        which = (status.st_dev, status.st_ino)
        if self._which is not None and (which != self._which or status.st_size < self._position):
            self._skip, self._position, self._lines = status.st_size, 0, Lines()
        self._which = which

    @property
    def position(self) -> int:
        """How far it has been read, in bytes."""
        return self._position


class Transcripts:
    """A session's transcript and its subagents'."""

    def __init__(self, path: Path, *, skip_bytes: int = 0, since: str = "") -> None:
        """skip_bytes, since: what was there before, and from when on it is reported. See TranscriptFile."""
        self._folder = os.path.splitext(path)[0] + "/subagents"  # noqa: PTH122  any path will do
        self._since = since
        self._files = {os.fspath(path): TranscriptFile(os.fspath(path), skip_bytes=skip_bytes, since=since)}
        self._complained: set[str] = set()
        # Those of earlier times of the program have been told.
        for earlier in self._of_subagents() if skip_bytes else ():
            self._find(earlier, skip_bytes=_size(earlier))

    def _of_subagents(self) -> list[str]:
        try:
            names = sorted(os.listdir(self._folder))  # noqa: PTH208  asked ten times a second
        except OSError:
            # There have been none yet.
            return []
        return [f"{self._folder}/{name}" for name in names if name.endswith(".jsonl")]

    def _find(self, path: str, *, skip_bytes: int = 0) -> None:
        if path not in self._files:
            self._files[path] = TranscriptFile(path, skip_bytes=skip_bytes, since=self._since)

    def news(self) -> Iterator[Said]:
        """What has been written since the last call, as far as one goes at once. What can't be read is logged once."""
        for path in self._of_subagents():
            self._find(path)
        for path, file in self._files.items():
            try:
                yield from file.news()
            except FileNotFoundError:
                continue
            except OSError as error:
                if path not in self._complained:
                    logger.warning("the transcript can't be read: %s", error)
                self._complained.add(path)

    @property
    def position(self) -> int:
        """How much has been read in all, in bytes."""
        return sum(file.position for file in self._files.values())


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  as above
    except OSError:
        return 0
