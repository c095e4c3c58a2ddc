import gzip
import io
from typing import Any

import pytest

from agent_bus.backup_file import BackupDamaged, BackupWriter
from agent_bus.backup_format import (
    About,
    BackupReader,
    BackupTooNew,
    BlueprintLine,
    BlueprintsEntry,
    DocumentEntry,
    DocumentRecord,
    Manifest,
    SessionEntry,
    SessionRecord,
    StatisticsEntry,
    StatisticsLine,
    encoded,
    encoded_lines,
)
from agent_bus.blueprints import Blueprint

AT = "2026-01-24T10:00:00.123456+00:00"
ID = "ab" * 16
SESSION = {"session_id": "s/1".replace("/", "-"), "session_name": "One", "status": "running", "score": "1", "run": "1",
           "created_at": AT, "modified_at": AT}  # fmt: skip
DOCUMENT = {"id": ID, "filename": "a\n.txt", "content_type": "text/plain", "size_bytes": "3", "checksum": "cd" * 32,
            "created_at": AT, "updated_at": AT, "updated_us": "1", "score": "5", "version": "1", "tags": "a,b-c",
            "metadata": "{}"}  # fmt: skip
BLUEPRINT = Blueprint(name="a", description="A", created_at=AT, modified_at=AT)


def packed(*ids: int) -> bytes:
    return gzip.compress(b"".join(b'{"id":%d,"event_type":"message"}\n' % each for each in ids), mtime=0)


def members(**changed: Any) -> dict[str, bytes]:
    about = About(software="1.2.3", id="0" * 32, namespace="ao", begun_at=AT)
    manifest = Manifest(
        ended_at=AT, last_id=9, blueprints=2, statistics=1, documents=1, document_bytes=3, sessions=1, events=3
    )
    return {
        "backup.json": encoded(about),
        "blueprints.jsonl": encoded_lines([BlueprintLine(name="a", blueprint=BLUEPRINT), BlueprintLine(name="gone")]),
        "statistics.jsonl": encoded_lines([StatisticsLine(start=300, counts={"events": 3})]),
        f"documents/{ID}.json": encoded(DocumentRecord(document=DOCUMENT | changed.get("document", {}))),
        f"documents/{ID}.bytes": b"abc",
        "sessions/0000001.json": encoded(
            SessionRecord(session=SESSION | changed.get("session", {}), events=3, last_id=9)
        ),
        "sessions/0000001.jsonl.gz": packed(2, 3, 9),
        "manifest.json": encoded(manifest.model_copy(update=changed.get("manifest", {}))),
    }


def reader(members: dict[str, bytes]) -> BackupReader:
    out = io.BytesIO()
    with BackupWriter(out, 0) as writer:
        for name, data in members.items():
            writer.add(name, data)
        writer.finish()
    return BackupReader(out)


def check(backup: BackupReader) -> Manifest:
    for _ in backup.check():
        pass
    return backup.manifest


def test_what_was_written_is_read_as_often_as_wanted() -> None:
    backup = reader(members())
    assert (backup.about.software, backup.about.namespace) == ("1.2.3", "ao")
    for _ in range(2):
        assert check(backup).events == 3
        found: list[Any] = []
        for entry in backup.entries():
            match entry:
                case BlueprintsEntry() | StatisticsEntry():
                    found += list(entry.lines)
                case DocumentEntry():
                    found += [entry.record.document, b"".join(entry.content)]
                case SessionEntry():
                    found += [entry.record.session, list(entry.events)]
        assert found == [
            BlueprintLine(name="a", blueprint=BLUEPRINT), BlueprintLine(name="gone"),
            StatisticsLine(start=300, counts={"events": 3}),
            DOCUMENT, b"abc",
            SESSION, [b'{"id":%d,"event_type":"message"}' % each for each in (2, 3, 9)],
        ]  # fmt: skip


def test_how_far_the_check_has_come_is_told() -> None:
    backup = reader(members())
    with pytest.raises(RuntimeError):
        _ = backup.manifest
    told = list(backup.check())
    assert told == sorted(told)
    assert 0 < told[-1] < backup.size


def test_a_reader_passes_over_fields_that_it_does_not_know() -> None:
    given = members(session={"later": "x"})
    given["backup.json"] = given["backup.json"].replace(b"{", b'{"later": [1],', 1)
    entries = [entry for entry in reader(given).entries() if isinstance(entry, SessionEntry)]
    assert entries[0].record.session["later"] == "x"


def test_a_newer_format_is_refused_in_one_line() -> None:
    given = members()
    given["backup.json"] = given["backup.json"].replace(b'"version": 1', b'"version": 2')
    with pytest.raises(BackupTooNew, match=r"format 2, written by agent-orchestrator 1\.2\.3"):
        reader(given)


@pytest.mark.parametrize("about", [b"[]", b"{}", b"no JSON", b'{"format": "another", "version": 1}'])
def test_another_file_is_no_backup(about: bytes) -> None:
    with pytest.raises(BackupDamaged):
        reader(members() | {"backup.json": about})
    with pytest.raises(BackupDamaged, match=r"does not begin with backup\.json"):
        reader({"x": b""})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"session": {"status": "asleep"}}, r"sessions/0000001\.json: its status"),
        ({"session": {"run": '1","x":"'}}, "its run"),
        ({"session": {"created_at": "yesterday"}}, "its created_at"),
        ({"session": {"ended_at": '"'}}, "its ended_at"),
        ({"session": {"session_id": "../x"}}, "a session id is"),
        ({"session": {"input_tokens": "many"}}, "its input_tokens"),
        ({"document": {"tags": "a,,b"}}, "its tags"),
        ({"document": {"id": "../../x"}}, "its id"),
        ({"document": {"metadata": "[]"}}, "its metadata"),
        ({"document": {"size_bytes": "4"}}, "has 3 bytes"),
        ({"manifest": {"events": 4}}, "says events: 4, and there are 3"),
        ({"manifest": {"sessions": 0}}, "says sessions: 0"),
        ({"manifest": {"document_bytes": 1}}, "says document_bytes: 1"),
        ({"manifest": {"last_id": 8}}, "no id is above 8, and there is 9"),
    ],
)
def test_what_can_not_be_is_refused_with_its_place(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(BackupDamaged, match=told):
        check(reader(members(**changed)))


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("sessions/0000001.jsonl.gz", packed(2, 3), "has 2 events up to 3, and not 3 up to 9"),
        ("sessions/0000001.jsonl.gz", packed(3, 2, 9), "event 2 stands after event 3"),
        ("sessions/0000001.jsonl.gz", packed(2, 3, 9)[:-9], "can't be read after event"),
        ("sessions/0000001.jsonl.gz", b"no gzip", "can't be read after event 0"),
        ("sessions/0000001.jsonl.gz", gzip.compress(b"no event\n", mtime=0), "can't be read after event 0"),
        ("sessions/0000001.json", b"no JSON", "is no JSON"),
        ("sessions/0000001.json", b'{"session": {}, "events": "3", "last_id": 9}', "events: Input should be"),
        ("blueprints.jsonl", b'{"name": "a"}', "does not end"),
        ("blueprints.jsonl", b'{"name": "a", "blueprint": {"name": "a"}}\n', r"blueprint\.description"),
        ("statistics.jsonl", b'{"start": 1, "counts": {"events": "many"}}\n', r"counts\.events"),
        ("surprise", b"", "has no place in a backup"),
    ],
)
def test_a_member_that_is_not_what_it_should_be_is_named(name: str, data: bytes, told: str) -> None:
    with pytest.raises(BackupDamaged, match=told):
        check(reader({key: value for key, value in members().items() if key != "manifest.json"} | {name: data}))


@pytest.mark.parametrize("missing", ["sessions/0000001.jsonl.gz", f"documents/{ID}.bytes", "manifest.json"])
def test_a_member_that_is_missing_is_missed(missing: str) -> None:
    given = members()
    del given[missing]
    with pytest.raises(BackupDamaged, match=r"followed by|there is no manifest"):
        check(reader(given))


def test_nothing_stands_after_the_manifest() -> None:
    with pytest.raises(BackupDamaged, match="stands after"):
        check(reader(members() | {"sessions/0000002.json": b"{}"}))
