import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from agent_bus.backup_file import SUMS, BackupDamaged, BackupWriter, Member, read_members

MEMBERS = {"a.json": b"{}\n", "folder/empty": b"", "folder/block": b"x" * 512, "folder/large": bytes(range(256)) * 5000}


def written(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with BackupWriter(out, 1_700_000_000.5) as writer:
        for name, data in members.items():
            writer.begin(name, len(data))
            for start in range(0, len(data), 1000):
                writer.write(data[start : start + 1000])
            writer.end()
        writer.finish()
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    return {member.name: b"".join(member.parts()) for member in read_members(io.BytesIO(data))}


def test_what_was_written_is_read() -> None:
    assert read(written(MEMBERS)) == MEMBERS


def test_what_a_reader_leaves_of_a_member_is_read_over_and_checked() -> None:
    names = []
    for member in read_members(io.BytesIO(written(MEMBERS))):
        member.read(2)
        names.append(member.name)
    assert names == list(MEMBERS)


def test_other_programs_read_and_check_it(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    file.write_bytes(written(MEMBERS))
    subprocess.run(["tar", "-xf", file, "-C", tmp_path], check=True)
    checked = subprocess.run(["sha256sum", "-c", SUMS], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert checked.stdout.count(": OK") == len(MEMBERS)
    assert (tmp_path / "folder" / "large").read_bytes() == MEMBERS["folder/large"]
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600


def test_more_sums_than_memory_is_spent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_bus.backup_file.SUMS_IN_MEMORY", 100)
    members = {f"m{n}": b"%d" % n for n in range(50)}
    assert read(written(members)) == members


def test_a_file_cut_off_anywhere_is_refused() -> None:
    data = written(MEMBERS)
    whole = data.rindex(f"  {list(MEMBERS)[-1]}\n".encode())
    for size in [0, 1, 100, 511, 512, 513, 600, *range(1024, whole, 4096), whole - 1, whole]:
        with pytest.raises(BackupDamaged):
            read(data[:size])


def test_it_is_said_where_a_file_is_cut_off() -> None:
    data = written({"first": b"1", "second": b"2" * 5000})
    with pytest.raises(BackupDamaged, match="cut off at byte 3000, within second"):
        read(data[:3000])
    with pytest.raises(BackupDamaged, match="after first"):
        read(data[:1024])


def test_a_changed_byte_is_found_and_the_member_named() -> None:
    data = bytearray(written(MEMBERS))
    place = data.index(MEMBERS["folder/large"])
    data[place + 70_000] ^= 1
    with pytest.raises(BackupDamaged, match="folder/large is not what was written"):
        read(bytes(data))


@pytest.mark.parametrize("keep", ["first", "second"])
def test_a_member_that_was_taken_out_is_missed(keep: str) -> None:
    both, one = {"first": b"1", "second": b"2"}, {keep: b"?"}
    tail = written(both)[len(both) * 1024 :]
    header = written(one)[:1024]
    with pytest.raises(BackupDamaged, match="first"):
        read(header + tail)


def test_what_is_no_tar_is_refused() -> None:
    for data in (b"", b"no tar at all", b"x" * 5000, bytes(5000)):
        with pytest.raises(BackupDamaged):
            read(data)


def test_what_is_no_plain_file_is_refused() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BackupDamaged, match="not a plain file"):
        read(out.getvalue())


def test_a_member_has_as_many_bytes_as_was_said() -> None:
    with BackupWriter(io.BytesIO(), 0) as writer:
        writer.begin("short", 3)
        writer.write(b"12")
        with pytest.raises(ValueError, match="1 bytes fewer"):
            writer.end()
        writer.begin("long", 1)
        with pytest.raises(ValueError, match="more than 1 bytes"):
            writer.write(b"12")


def test_the_reader_keeps_nothing_of_what_it_has_read() -> None:
    names = iter(read_members(io.BytesIO(written({f"m{n}": b"" for n in range(1000)}))))
    seen: list[Member] = [next(names) for _ in range(1000)]
    assert [member.name for member in seen] == [f"m{n}" for n in range(1000)]
