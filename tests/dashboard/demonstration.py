"""A system that looks as it does after a day's work, for the pictures and for what has to hold on full pages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.dashboard.stories import Event, Reporter, text, tool
from tests.dashboard.system import System

REVIEW = "6f1c2b1e-9b1d-4a7e-8a52-3d0f4c1f7a10"

BEFORE = """def settle(invoice, payments):
    total = 0
    for payment in payments:
        total += payment.amount
    return invoice.total - total
"""
AFTER = """def settle(invoice, payments):
    total = sum((payment.amount for payment in payments), Decimal(0))
    if total > invoice.total:
        raise Overpaid(invoice, total)
    return invoice.total - total
"""
TESTS = (
    "\x1b[1m============================= test session starts =============================\x1b[0m\n"
    "collected 48 items\n\n"
    "tests/test_invoices.py \x1b[32m................\x1b[0m\x1b[31mF\x1b[0m\x1b[32m.......\x1b[0m            [ 50%]\n"
    "tests/test_ledger.py \x1b[32m........................\x1b[0m              [100%]\n\n"
    "\x1b[31mFAILED\x1b[0m tests/test_invoices.py::test_overpayment - decimal.InvalidOperation\n"
    "\x1b[31m1 failed\x1b[0m, \x1b[32m47 passed\x1b[0m in 3.21s\n"
)
ANSWER = """The rounding error is gone. What changed:

- `settle()` sums with `Decimal(0)` as its start, so that an empty list of payments no longer yields an `int`
- an overpayment raises `Overpaid` instead of giving a negative balance

| check | before | after |
| --- | --- | --- |
| `test_overpayment` | failed | passes |
| all tests | 47 of 48 | 48 of 48 |

```python
total = sum((payment.amount for payment in payments), Decimal(0))
```
"""
GUIDE = """# How invoices are settled

1. Payments are summed as `Decimal`.
2. What is left is the balance; *more* than the total is an error.

> Amounts are never floats.
"""

# Id, name, agent, project, and how it ended, if it did.
OTHERS = [
    ("nightly-docs", "Nightly docs", "doc-writer", "/src/handbook", "finished"),
    ("dependency-bump", "Bump dependencies", "maintainer", "/src/billing", None),
    ("flaky-hunt", "Hunt the flaky test", "claude-code", "/src/billing", "stopped"),
    ("migrate-css", "Migrate styles to tokens", "claude-code", "/src/storefront", "finished"),
    ("perf-pass", "Speed up the product list", "claude-code", "/src/storefront", None),
    ("triage", "Triage new issues", "maintainer", "/src/handbook", "finished"),
    ("import-2019", "Import the 2019 archive", "importer", "/src/archive", "stopped"),
]

BLUEPRINTS: list[dict[str, Any]] = [
    {
        "name": "reviewer",
        "description": "Reads a change before people do, and says what would break.",
        "system_prompt": "You review changes.\n\n- Read the whole diff first.\n- Run the tests.\n- Say what breaks.\n",
        "mcp_servers": {
            "github": {"type": "http", "url": "https://mcp.example/github", "headers": {"Authorization": "Bearer x"}},
            "files": {"command": "npx", "args": ["-y", "mcp-files", "/src"], "env": {"LOG_LEVEL": "warn"}},
        },
        "skills": ["diff-reading", "pytest"],
        "tags": ["review", "python"],
    },
    {
        "name": "doc-writer",
        "description": "Keeps the handbook true to the code.",
        "system_prompt": "You write short, true documentation.",
        "tags": ["docs"],
    },
    {
        "name": "importer",
        "description": "Imports old archives. Slow; run at night.",
        "tags": ["archive", "night"],
        "status": "inactive",
    },
]

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#4f46e5"/>'
    '<circle cx="4" cy="4" r="2" fill="#fff"/></svg>'
)
COVERAGE = "module,lines,covered\ninvoices,212,208\nledger,340,331\ntax,95,95\n"
RUN = json.dumps({"run": 1017, "steps": [{"name": "test", "ok": True}]})

# Name, content, type, tags and description.
DOCUMENTS = [
    ("notes.txt", "Ask finance about invoice 1017.\n", "text/plain", "", ""),
    ("logo.svg", LOGO, "image/svg+xml", "brand", ""),
    ("invoices.py", AFTER, "text/x-python", "billing", ""),
    ("run-1017.json", RUN, "application/json", "report,ci", ""),
    ("coverage.csv", COVERAGE, "text/csv", "report", ""),
    ("settling-invoices.md", GUIDE, "text/markdown", "guide,billing", "How the balance comes about"),
]

USAGE: Event = {
    "event_type": "usage", "model": "claude-sonnet-5", "input_tokens": 4_812, "output_tokens": 1_930,
    "cache_read_tokens": 88_210, "cache_write_tokens": 12_004, "cost_usd": 0.1342,
}  # fmt: skip


def fill(system: System) -> None:
    """Sessions, documents and blueprints; one session with everything that a timeline shows."""
    began = datetime.now(UTC) - timedelta(minutes=14)
    _review(Reporter(
        system.http, REVIEW, began=began, session_name="Fix the rounding error in invoices", agent_name="claude-code",
        project_dir="/src/billing",
    ))  # fmt: skip
    for position, other in enumerate(OTHERS):
        _other(system, other, began - timedelta(minutes=11 * position))
    _documents(system.files)
    for blueprint in BLUEPRINTS:
        system.http.post("/agents", json=blueprint).raise_for_status()


def _review(reporter: Reporter) -> None:
    reporter.start()
    reporter.report(text("user", "The balance of invoice 1017 is off by a cent. Find out why and fix it."), seconds=4)
    reporter.report(text("assistant", "I'll look at how invoices are settled, then run the tests."), seconds=2)
    reporter.report(
        *tool("Grep", {"pattern": "def settle", "path": "/src/billing"}, "billing/invoices.py:41", key="g1")
    )
    reporter.report(*tool("Read", {"file_path": "/src/billing/billing/invoices.py"}, BEFORE, key="r1"), seconds=3)
    reporter.report(*tool("Bash", {"command": "pytest -q"}, {"stdout": TESTS, "exit_code": 1},
                          error="Command failed with exit code 1", key="b1"), seconds=6)  # fmt: skip
    agent = {"agent_id": "sub-1", "agent_type": "explorer"}
    reporter.report({"event_type": "subagent_start", **agent})
    for number, path in enumerate(("ledger.py", "money.py", "tax.py")):
        uses = tool("Read", {"file_path": f"/src/billing/billing/{path}"}, "…", key=f"s{number}")
        reporter.report(*(event | agent for event in uses), seconds=2)
    reporter.report({"event_type": "subagent_stop", **agent})
    edit = {"file_path": "/src/billing/billing/invoices.py", "old_string": BEFORE, "new_string": AFTER}
    reporter.report(*tool("Edit", edit, "The file has been updated", key="e1"), seconds=5)
    passed = TESTS.replace("\x1b[31mF\x1b[0m", "\x1b[32m.\x1b[0m").split("\n\x1b[31mFAILED")[0]
    outcome = {"stdout": f"{passed}\n48 passed in 3.02s\n", "exit_code": 0}
    reporter.report(*tool("Bash", {"command": "pytest -q"}, outcome, key="b2"), seconds=3)
    search = {"query": "Decimal sum start value", "filters": {"language": "python", "newest": 12}}
    reporter.report(*tool("mcp__github__search", search, {"items": [{"number": 812, "open": True}]}, key="m1"))
    reporter.report(USAGE, text("assistant", ANSWER), seconds=40)
    reporter.report(text("user", "Good. Now write the guide, and open a pull request."), seconds=2)
    reporter.report({"event_type": "pre_tool", "tool_name": "Bash", "tool_input": {"command": "gh pr create --fill"},
                     "tool_use_id": "b3"})  # fmt: skip


def _other(system: System, other: tuple[str, str, str, str, str | None], began: datetime) -> None:
    session_id, name, agent, project, end = other
    reporter = Reporter(system.http, session_id, began=began, session_name=name, agent_name=agent, project_dir=project)
    reporter.start()
    reporter.report(text("user", name))
    for number in range(len(name)):
        error = "Command failed with exit code 2" if number % 9 == 8 else None
        uses = tool("Bash", {"command": f"make step-{number}"}, "done", error=error, key=f"{session_id}-{number}")
        reporter.report(*uses, seconds=7)
    reporter.report(USAGE | {"cost_usd": len(name) / 70})
    if end == "stopped":
        system.http.post(f"/sessions/{session_id}/stop").raise_for_status()
        reporter.end(reason="stopped")
    elif end == "finished":
        reporter.end(exit_code=0)


def _documents(files: httpx.Client) -> None:
    for name, content, kind, tags, description in DOCUMENTS:
        metadata = json.dumps({"description": description}) if description else ""
        answer = files.post(
            "/documents", files={"file": (name, content.encode(), kind)}, data={"tags": tags, "metadata": metadata}
        )
        answer.raise_for_status()
