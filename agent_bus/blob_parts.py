"""What a killed server leaves of an upload to a folder: files `<id>#<n>` beside the blobs, which no store lists.

A folder store writes an upload into such a file and renames it when the last byte is there. It removes the file itself
when an upload breaks off, but not when its process is killed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent_bus.documents import DOCUMENT_ID

_NAME = re.compile(rf"({DOCUMENT_ID.pattern})#\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class BlobPart:
    """An upload's bytes so far. `written_at`: when the last of them came, by the file server's clock."""

    document_id: str
    path: Path
    written_at: datetime


def unfinished(folder: Path) -> Iterator[BlobPart]:
    """The parts that lie below a namespace's folder, be the uploads going on or not. Raises OSError."""
    for path in folder.glob("??/*#*"):
        name = _NAME.fullmatch(path.name)
        if name is None or path.parent.name != path.name[:2]:
            continue
        try:
            written_at = path.stat().st_mtime
        except FileNotFoundError:
            # The upload has ended in this moment.
            continue
        yield BlobPart(name[1], path, datetime.fromtimestamp(written_at, UTC))
