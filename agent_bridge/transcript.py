"""Claude Code's transcript: what the model said and what it cost, read as the program writes it.

A transcript is a file of JSON lines; each subagent has one of its own beside it. Seen on Claude Code 2.1.331. What is
not understood is passed over: the format is the program's own and changes.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

# What a usage event says, and what the transcript calls it.
TOKENS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}
# Lines of one answer follow each other closely; so many answers may be written at the same time.
ANSWERS_REMEMBERED = 64
_CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """Something to report: an event's type and fields."""

    event_type: str
    fields: Mapping[str, Any]


class TranscriptReader:
    """Makes reports of one transcript's lines. Holds no file.

    An answer of the model is written as several lines, each with the answer's usage so far: the difference to what was
    counted is reported. Costs come as sums over the program's time: the difference again.
    """

    def __init__(self) -> None:
        self._counted: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._costs: dict[str, float] = {}

    def skip(self, line: bytes) -> None:
        """Takes notice of a line that was there before, so that what follows is compared with it."""
        for _ in self.read(line):
            pass

    def read(self, line: bytes) -> Iterator[Said]:
        """What one line brings."""
        if b'"assistant"' not in line and b'"cost-state"' not in line:
            return
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            return
        match entry:
            case {"type": "assistant", "message": {"role": "assistant"} as message}:
                agent = entry.get("agentId")
                more = {"agent_id": agent} if isinstance(agent, str) else {}
                yield from self._usage(message, more)
                yield from _text(message, more | {"said_at": entry.get("timestamp")})
            case {"type": "cost-state", "modelUsage": dict(models)}:
                yield from self._cost(models)

    def _usage(self, message: Mapping[str, Any], more: Mapping[str, Any]) -> Iterator[Said]:
        answer, model, usage = message.get("id"), message.get("model"), message.get("usage")
        # A made-up answer, such as a notice of the program's own, has no model's name.
        if not isinstance(answer, str) or not isinstance(usage, dict) or model == "<synthetic>":
            return
        now = {ours: _count(usage.get(theirs)) for ours, theirs in TOKENS.items()}
        before = self._counted.get(answer, {})
        added = {name: max(0, count - before.get(name, 0)) for name, count in now.items()}
        self._counted[answer] = now
        self._counted.move_to_end(answer)
        while len(self._counted) > ANSWERS_REMEMBERED:
            self._counted.popitem(last=False)
        if any(added.values()):
            yield Said("usage", {"model": model, **added, "cost_usd": None, **more})

    def _cost(self, models: Mapping[str, Any]) -> Iterator[Said]:
        for model, figures in models.items():
            cost = figures.get("costUSD") if isinstance(figures, dict) else None
            if not isinstance(cost, int | float):
                continue
            before = self._costs.get(model, 0.0)
            # A program that was started anew may count from zero.
            added = cost - before if cost >= before else cost
            self._costs[model] = float(cost)
            if added > 0:
                yield Said("usage", {"model": model, **dict.fromkeys(TOKENS, 0), "cost_usd": round(added, 9)})


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _text(message: Mapping[str, Any], more: Mapping[str, Any]) -> Iterator[Said]:
    # The last words of a turn come by the hook that tells of its end.
    if message.get("stop_reason") == "end_turn":
        return
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    if any(block.get("text") for block in texts):
        yield Said("message", {"role": "assistant", "content": texts, **more})


class TranscriptFile:
    """One transcript as a file that grows. A line that is not complete waits for its end."""

    def __init__(self, path: Path, *, skip_bytes: int = 0) -> None:
        """skip_bytes: how much of the file was there before, and is not reported."""
        self._path = path
        self._skip = skip_bytes
        self._position = 0
        self._rest = b""
        self._reader = TranscriptReader()

    def news(self) -> Iterator[Said]:
        """What has been written since the last call; nothing while there is no such file. Raises OSError."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._position)
            while chunk := file.read(_CHUNK_BYTES):
                lines = (self._rest + chunk).split(b"\n")
                start = self._position - len(self._rest)
                self._position += len(chunk)
                self._rest = lines.pop()
                for line in lines:
                    old = start < self._skip
                    start += len(line) + 1
                    if old:
                        self._reader.skip(line)
                    else:
                        yield from self._reader.read(line)


class Transcripts:
    """A session's transcript and its subagents'."""

    def __init__(self, path: Path, *, skip_bytes: int = 0) -> None:
        self._folder = path.with_suffix("") / "subagents"
        self._files = {path: TranscriptFile(path, skip_bytes=skip_bytes)}
        # Those of earlier times of the program have been told.
        if skip_bytes:
            for earlier in self._folder.glob("*.jsonl"):
                self._files[earlier] = TranscriptFile(earlier, skip_bytes=earlier.stat().st_size)

    def news(self) -> Iterator[Said]:
        """What has been written since the last call. Raises OSError."""
        for path in sorted(self._folder.glob("*.jsonl")):
            if path not in self._files:
                self._files[path] = TranscriptFile(path)
        for file in list(self._files.values()):
            yield from file.news()
