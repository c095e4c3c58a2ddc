"""The real Claude Code that claude-agent-sdk carries, working in a folder of the test's own for a scripted model."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

API_KEY = "sk-a-dummy-of-the-test"


def program() -> str:
    """The path of the program; fails, saying what to do, where the package came without it."""
    spec = find_spec("claude_agent_sdk")
    assert spec is not None, "install the development tools: make dev"
    assert spec.origin is not None
    path = Path(spec.origin).parent / "_bundled" / "claude"
    assert path.is_file(), "the wheel of claude-agent-sdk for this platform carries no Claude Code program"
    return str(path)


@dataclass(frozen=True, slots=True)
class ClaudeCode:
    """A home and a project for the program, and the model API that it talks to. Nothing outside is touched."""

    root: Path
    api_url: str

    def __post_init__(self) -> None:
        for folder in (self.home, self.config, self.runtime, self.project / ".claude"):
            folder.mkdir(parents=True, exist_ok=True)
        # What the program would ask a person about when it is run in a terminal for the first time.
        asked = {
            "hasCompletedOnboarding": True,
            "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
        }
        (self.config / ".claude.json").write_text(json.dumps(asked))

    @property
    def home(self) -> Path:
        """$HOME."""
        return self.root / "home"

    @property
    def config(self) -> Path:
        """Where the user's settings and the transcripts are."""
        return self.root / "config"

    @property
    def runtime(self) -> Path:
        """Where watchers keep their locks and logs."""
        return self.root / "run"

    @property
    def project(self) -> Path:
        """The folder that it works in."""
        return self.root / "project"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """All of the program's environment."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TERM": "xterm-256color",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "CLAUDE_CONFIG_DIR": str(self.config),
            "ANTHROPIC_BASE_URL": self.api_url,
            "ANTHROPIC_API_KEY": API_KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            **(more or {}),
        }

    def write_settings(self, settings: Mapping[str, Any]) -> Path:
        """Writes the project's settings."""
        path = self.project / ".claude" / "settings.json"
        path.write_text(json.dumps(settings, indent=2))
        return path

    def start(
        self, prompt: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Runs one prompt to its end (`claude -p`), in a process session of its own; its output is JSON."""
        return self._run(["-p", prompt, "--output-format", "json", *options], environment, subprocess.DEVNULL)

    def converse(self, *options: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """A program that stays between turns; prompts go in by `say`, and its end is the end of its standard input."""
        kinds = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        return self._run(["-p", *kinds, *options], environment, subprocess.PIPE)

    def _run(
        self, arguments: list[str], environment: Mapping[str, str] | None, stdin: int
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [program(), *arguments, "--allowedTools", "Bash,Read,Write,Agent"], cwd=self.project,
            env=self.environment(environment), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def say(conversation: "subprocess.Popen[bytes]", prompt: str) -> None:
    """Gives a conversation its next prompt."""
    assert conversation.stdin is not None
    message = {"role": "user", "content": [{"type": "text", "text": prompt}]}
    conversation.stdin.write(json.dumps({"type": "user", "message": message}).encode() + b"\n")
    conversation.stdin.flush()


def interrupt(conversation: "subprocess.Popen[bytes]") -> None:
    """What Esc does in a terminal."""
    assert conversation.stdin is not None
    request = {"type": "control_request", "request_id": "interrupt", "request": {"subtype": "interrupt"}}
    conversation.stdin.write(json.dumps(request).encode() + b"\n")
    conversation.stdin.flush()
