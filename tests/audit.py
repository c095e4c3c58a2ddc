"""`python -m tests.audit`: are weaknesses known of what is installed, at the versions that the locks pin?

Prints, for each lock, how many packages it has, under which licences, and what is known of them. Ends with status 1 if
anything is, and with 2 if it could not be asked: silence is no answer.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
"""The first is what runs; the second has what develops and tests it, too."""
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
TIMEOUT_SECONDS = 300


class NotAsked(Exception):
    """Nobody could be asked; the message says who, and why."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a lock's packages. known: a line for each weakness."""

    lock: str
    packages: int
    licences: Counter[str]
    known: list[str]


Run = Callable[[Sequence[str], Path], "subprocess.CompletedProcess[str]"]


def _run(command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


def of_python(lock: Path, auditor: str, run: Run = _run) -> Report:
    """What pip-audit knows of a lock. Raises NotAsked."""
    options = ("--vulnerability-service", "osv", "--disable-pip", "--format", "json", "--progress-spinner", "off")
    command = (auditor, *options, "--requirement", str(lock))
    said = _said(run(command, lock.parent), "pip-audit")
    if "dependencies" not in said:
        raise NotAsked("pip-audit gave no list of dependencies")
    pinned = PINNED.findall(lock.read_text("utf-8"))
    known = [
        f"{package['name']} {package['version']}: {weakness['id']}, "
        f"mended in {', '.join(weakness['fix_versions']) or 'none'}"
        for package in said["dependencies"]
        for weakness in package.get("vulns", ())
    ]
    skipped = [
        f"{package['name']}: {package['skip_reason']}" for package in said["dependencies"] if "skip_reason" in package
    ]
    if skipped:
        raise NotAsked(f"pip-audit left out {'; '.join(skipped)}")
    return Report(lock.name, len(pinned), Counter(_licence(name) for name, _ in pinned), known)


def of_dashboard(folder: Path, npm: Sequence[str], run: Run = _run) -> Report:
    """What npm knows of the dashboard's lock. Raises NotAsked."""
    said = _said(run((*npm, "audit", "--json"), folder), "npm audit")
    if "vulnerabilities" not in said:
        raise NotAsked(f"npm audit: {str(said.get('message') or 'no answer').partition(' - ')[0]}")
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    licences = Counter(str(package.get("license", "not stated")) for name, package in packages.items() if name)
    known = [
        f"{name}: {found['severity']}, {found.get('range', '')}" for name, found in said["vulnerabilities"].items()
    ]
    return Report("dashboard/package-lock.json", licences.total(), licences, known)


def _said(ended: "subprocess.CompletedProcess[str]", who: str) -> dict[str, Any]:
    """What a program has printed as JSON: both end with 1 for a finding as well as for a failure."""
    try:
        said = json.loads(ended.stdout)
    except ValueError:
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotAsked(f"{who} got no answer ({last[:100]}…)") from None
    return said if isinstance(said, dict) else {}


def _licence(name: str) -> str:
    try:
        fields = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    stated = fields.json.get("license_expression")
    if not stated:
        classified = [str(line) for line in fields.json.get("classifier", ()) if str(line).startswith("License ::")]
        stated = " and ".join(line.rpartition(" :: ")[2] for line in classified) or fields.json.get("license")
    return str(stated or "not stated").partition("\n")[0][:40]


def told(report: Report) -> Iterable[str]:
    """A report in lines."""
    yield f"{report.lock}: {report.packages} packages, {len(report.known) or 'no'} known weaknesses"
    yield "  " + ", ".join(f"{licence} ×{count}" for licence, count in report.licences.most_common())
    yield from (f"  !! {line}" for line in report.known)


def main(auditor: str, *npm: str) -> int:
    """Asks about all locks. Returns the exit status."""
    asks: list[Callable[[], Report]] = [
        *(partial(of_python, REPOSITORY / lock, auditor) for lock in LOCKS),
        lambda: of_dashboard(REPOSITORY / "dashboard", npm),
    ]
    status = 0
    for lock, ask in zip((*LOCKS, "dashboard/package-lock.json"), asks, strict=True):
        try:
            report = ask()
        except (NotAsked, OSError, subprocess.TimeoutExpired) as error:
            print(f"{lock}: could not be checked: {error}", file=sys.stderr)
            status = 2
            continue
        print("\n".join(told(report)))
        status = status or (1 if report.known else 0)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
