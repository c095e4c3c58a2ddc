"""A model API on loopback that streams what a test has written down, so that the real Claude Code works for it."""

import itertools
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

# What each answer is said to have cost, in tokens.
INPUT_TOKENS, OUTPUT_TOKENS, CACHE_READ_TOKENS, CACHE_WRITE_TOKENS = 100, 42, 30, 20
# The longest that an endless text goes on when nobody cuts it off, and the pause between its words, in seconds.
ENDLESS_SECONDS, WORD_SECONDS = 120.0, 0.02


@dataclass(frozen=True, slots=True)
class Say:
    """The model says something; endless: word after word until the reader goes away."""

    text: str
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """The model uses a tool."""

    tool: str
    input: Mapping[str, Any] = field(default_factory=dict)


Turn = Sequence[Say | Use]


def bash(command: str, *, background: bool = False) -> Use:
    """The model runs a command in the shell."""
    more = {"run_in_background": True} if background else {}
    return Use("Bash", {"command": command, "description": "a command of the test", **more})


class ModelApi:
    """Serves `POST /v1/messages`. A conversation's n-th answer is its script's n-th turn, the last one from there on.

    scripts: a part of the conversation's first prompt to its turns; "" is for every other conversation.
    """

    def __init__(self, scripts: Mapping[str, Sequence[Turn]]) -> None:
        self.scripts = dict(scripts)
        self.requests: list[dict[str, Any]] = []
        """The bodies of the requests for an answer, as they came."""
        self.failures: list[str] = []
        """What was asked for that this API can't do; a test should find none."""
        api = self

        class Handler(_Handler):
            model_api = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="model api", daemon=True)

    @property
    def url(self) -> str:
        """For ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def turn(self, request: dict[str, Any]) -> Turn:
        """What is answered to a request."""
        messages = request["messages"]
        first = next(json.dumps(message["content"]) for message in messages if message["role"] == "user")
        script = next((turns for part, turns in self.scripts.items() if part and part in first), None)
        if script is None:
            script = self.scripts[""]
        return script[min(sum(message["role"] == "assistant" for message in messages), len(script) - 1)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model_api: ModelApi
    _ids = itertools.count(1)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        pass

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._answer(200, b'{"input_tokens": 10}')
        elif path == "/v1/messages" and body.get("stream"):
            self.model_api.requests.append(body)
            # Requests without tools are the program's own: a title, a summary.
            self._stream(body["model"], self.model_api.turn(body) if body.get("tools") else [Say('{"title": "t"}')])
        else:
            self.model_api.failures.append(f"POST {self.path}")
            self._answer(404, b"{}")

    def do_GET(self) -> None:
        self.model_api.failures.append(f"GET {self.path}")
        self._answer(404, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, model: str, turn: Turn) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self._tell_message(model, turn)
        except OSError:
            # The program went away in the middle, as it does when it is stopped.
            return

    def _tell_message(self, model: str, turn: Turn) -> None:
        usage = {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": CACHE_WRITE_TOKENS,
            "cache_read_input_tokens": CACHE_READ_TOKENS,
            "output_tokens": 1,
        }
        head: dict[str, Any] = {
            "id": f"msg_{next(self._ids)}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
        }
        self._tell("message_start", message={**head, "stop_reason": None, "stop_sequence": None, "usage": usage})
        for index, block in enumerate(turn):
            if isinstance(block, Say):
                self._tell("content_block_start", index=index, content_block={"type": "text", "text": ""})
                self._tell_text(index, block)
            else:
                content = {"type": "tool_use", "id": f"toolu_{next(self._ids)}", "name": block.tool, "input": {}}
                self._tell("content_block_start", index=index, content_block=content)
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block.input)}
                self._tell("content_block_delta", index=index, delta=delta)
            self._tell("content_block_stop", index=index)
        reason = "tool_use" if any(isinstance(block, Use) for block in turn) else "end_turn"
        end = {"stop_reason": reason, "stop_sequence": None}
        self._tell("message_delta", delta=end, usage={"output_tokens": OUTPUT_TOKENS})
        self._tell("message_stop")

    def _tell_text(self, index: int, block: Say) -> None:
        deadline = time.monotonic() + ENDLESS_SECONDS
        while True:
            self._tell("content_block_delta", index=index, delta={"type": "text_delta", "text": block.text})
            if not block.endless or time.monotonic() > deadline:
                return
            time.sleep(WORD_SECONDS)

    def _tell(self, kind: str, **fields: Any) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())
        self.wfile.flush()
