"""Where the data of a project lies, and how a process on the same machine finds the project's Redis.

Standard library only: the bridge reads this inside other people's programs.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

DATA_FOLDER = ".agent-orchestrator"
URL_FILE = "redis-url"
Part = Literal["api", "worker", "bridge"]
"""Who asks for the Redis: each has a user of its own there, where there are users (`access_rules`)."""
DEFAULT_URL = "redis://localhost:6379/0"

PROJECT_DIR_VARIABLE = "AGENT_ORCHESTRATOR_PROJECT_DIR"
URL_VARIABLE = "REDIS_URL"
NAMESPACE_VARIABLE = "AGENT_ORCHESTRATOR_NAMESPACE"


def data_folder(project_dir: Path) -> Path:
    """The folder in which a project's data lies."""
    return project_dir / DATA_FOLDER


def url_file(project_dir: Path, part: Part = "bridge") -> Path:
    """The file in which a running system leaves a part's Redis URL, readable by its user only.

    That of bridges, which agents find, has the plain name.
    """
    return data_folder(project_dir) / (URL_FILE if part == "bridge" else f"{URL_FILE}-{part}")


def find_redis_url(
    explicit: str | None = None, environ: Mapping[str, str] = os.environ, *, part: Part = "bridge"
) -> str:
    """The URL of the Redis to use: the argument, else `REDIS_URL`, else the project's file, else the local default.

    The file is the part's own, else that of bridges. The project is `AGENT_ORCHESTRATOR_PROJECT_DIR`, else the working
    directory or the nearest folder above it that has been run in.
    """
    if url := explicit or environ.get(URL_VARIABLE):
        return url
    if project := environ.get(PROJECT_DIR_VARIABLE):
        candidates = [Path(project)]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents]
    for candidate in candidates:
        if url := _url_in(url_file(candidate, part)) or _url_in(url_file(candidate)):
            return url
    return DEFAULT_URL


def _url_in(file: Path) -> str | None:
    """What the file says; None if there is none, or it is none of ours."""
    try:
        # Folders above may be anybody's; whoever names the Redis is given all that the agent says.
        if hasattr(os, "geteuid") and file.stat().st_uid != os.geteuid():
            return None
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if "://" in text else None
