"""The Lua scripts, one a file. A file's first line may name others to put in front: `-- include: bus session`."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_INCLUDE = "-- include:"


@dataclass(frozen=True, slots=True)
class Script:
    """A script as Redis takes it; `sha` is what EVALSHA calls it by."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of that name. Raises FileNotFoundError for a name without a file."""
    folder = files(__package__)
    source = (folder / f"{name}.lua").read_text("utf-8")
    first, _, _ = source.partition("\n")
    included = first.removeprefix(_INCLUDE).split() if first.startswith(_INCLUDE) else []
    text = "\n".join([*((folder / f"{part}.lua").read_text("utf-8") for part in included), source])
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
