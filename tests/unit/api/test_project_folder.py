import os
import stat
from pathlib import Path

import pytest

from agent_bus.discovery import find_redis_url, url_file
from api.cannot_start import CannotStart
from api.project_folder import BLOBS, LOCK_FILE, PARTS, announced, holder, locked, prepare
from api.redis_users import RedisUrls


def test_the_data_folder_is_made_once(tmp_path: Path) -> None:
    assert prepare(tmp_path) == prepare(tmp_path) == tmp_path / ".agent-orchestrator"


def test_a_project_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="is not a folder: make it"):
        prepare(tmp_path / "missing")


def test_a_data_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".agent-orchestrator").write_text("a file")
    with pytest.raises(CannotStart, match="can't write to"):
        prepare(tmp_path)


def test_a_second_holder_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(CannotStart, match=rf"pid {os.getpid()}"), locked(tmp_path):
            pass
    assert holder(tmp_path) is None
    with locked(tmp_path):
        pass


def test_a_lock_that_a_killed_system_left_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("4242\n")
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_each_part_s_redis_url_is_found_while_it_is_announced_and_by_this_user_only(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    url_file(tmp_path).write_text("redis://left-over:1/0")
    environment = {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(tmp_path)}
    urls = RedisUrls("redis://api:secret@host:6379/0", "redis://worker:other@host", "redis://bridge:third@host")
    with announced(tmp_path, urls):
        assert find_redis_url(environ=environment) == urls.bridge
        for part in PARTS:
            assert find_redis_url(environ=environment, part=part) == getattr(urls, part)
            assert stat.S_IMODE(url_file(tmp_path, part).stat().st_mode) == 0o600
        assert sorted(folder.iterdir()) == sorted([folder / BLOBS, *(url_file(tmp_path, part) for part in PARTS)])
    assert list(folder.iterdir()) == [folder / BLOBS]
