"""Redis' file of users, and their URLs, for a Redis that `up` does not start."""

from pathlib import Path

from agent_bus.access_rules import acl_file
from agent_bus.connection import database_of, redact
from agent_bus.discovery import Part, url_file
from agent_bus.settings import Settings
from api import project_folder
from api.cannot_start import CannotStart
from api.redis_check import OLDEST_VERSION, parse_version
from api.redis_users import (
    PASSWORDS_FILE,
    keep_passwords,
    read_passwords,
    renew_passwords,
    urls_with,
    write_private,
)

# Redis runs as a user of its own, and must read it; what it holds can't be turned back into passwords.
ACL_FILE_MODE = 0o644


def write(settings: Settings, file: Path, address: str, redis_version: str, *, anew: bool) -> list[str]:
    """Writes the file and leaves the URLs in the project's folder; returns what it has done, a line each.

    anew: also passwords that are there already are made anew. Raises CannotStart.
    """
    version = parse_version(redis_version)
    if version < OLDEST_VERSION:
        raise CannotStart(f"--redis-version {redis_version}: give a version that is 6.2 or newer, such as 8")
    data = project_folder.prepare(settings.project_dir)
    with project_folder.locked(data):
        try:
            passwords = renew_passwords(data) if anew else keep_passwords(data)
            urls = urls_with(address, passwords)
            rules = acl_file(settings.keys, passwords, version, database=database_of(address))
            write_private(file, rules, ACL_FILE_MODE)
            project_folder.leave_urls(settings.project_dir, urls)
        except OSError as error:
            folder = Path(error.filename or file).parent
            raise CannotStart(f"can't write into {folder} ({error.strerror}): it must be there and writable") from error
    return [
        f"{file} has the users; Redis reads it when it starts with `aclfile {file.absolute()}`, or at ACL LOAD",
        *(
            f"{url_file(settings.project_dir, part)} has the URL for {part}, {redact(getattr(urls, part))}"
            for part in project_folder.PARTS
        ),
    ]


def url(settings: Settings, part: Part, address: str) -> str:
    """The URL of a user whose password is kept in the project's folder. Raises CannotStart."""
    passwords = read_passwords(settings.data)
    if passwords is None:
        raise CannotStart(
            f"there is no {settings.data / PASSWORDS_FILE}: make the users with `agent-orchestrator acl write`, or "
            "name the project that has them with --project-dir"
        )
    return str(getattr(urls_with(address, passwords), part))
