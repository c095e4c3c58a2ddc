"""Parts of uploads are told from blobs, from other people's files, and from each other."""

import os
from datetime import UTC, datetime
from pathlib import Path

from agent_bus.blob_parts import BlobPart, unfinished
from agent_bus.documents import new_document_id


def test_only_parts_of_uploads_are_found_and_when_they_were_written(tmp_path: Path) -> None:
    first, second = new_document_id(), new_document_id()
    for name in (first, f"{first}#2", f"{second}#10", f"{second}#", f"{second}#x", "notes#1"):
        path = tmp_path / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1000, 1000))
    elsewhere = tmp_path / "zz" / f"{first}#1"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    written_at = datetime.fromtimestamp(1000, UTC)
    assert sorted(unfinished(tmp_path), key=lambda part: part.path.name) == sorted(
        (
            BlobPart(document_id, tmp_path / document_id[:2] / f"{document_id}#{number}", written_at)
            for document_id, number in ((first, 2), (second, 10))
        ),
        key=lambda part: part.path.name,
    )


def test_a_namespace_without_a_folder_has_no_parts(tmp_path: Path) -> None:
    assert list(unfinished(tmp_path / "nobody")) == []
