"""The passwords of the users that each part has in Redis, kept from one start to the next; and who gets which URL."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_bus.access_rules import User, new_passwords
from agent_bus.connection import with_credentials
from api.cannot_start import CannotStart

PASSWORDS_FILE = "redis-passwords.json"
ACL_FILE = "users.acl"
SHORTEST_PASSWORD = 32

Passwords = Mapping[User, str]


@dataclass(frozen=True, slots=True)
class RedisUrls:
    """One Redis as each part is to know it."""

    api: str
    worker: str
    bridge: str


def urls_with(address: str, passwords: Passwords) -> RedisUrls:
    """The URLs of the users at an address. Raises InvalidRedisUrl."""
    return RedisUrls(*(with_credentials(address, user, passwords[user]) for user in User))


def keep_passwords(folder: Path) -> Passwords:
    """The passwords kept in a folder, made if there are none. Raises CannotStart, or OSError for a folder like that.

    Agents outlive a restart of the system, and must be let in again by what they know.
    """
    found = read_passwords(folder)
    return found if found is not None else renew_passwords(folder)


def renew_passwords(folder: Path) -> Passwords:
    """New passwords, kept in a folder. Raises OSError."""
    passwords = new_passwords()
    write_private(folder / PASSWORDS_FILE, json.dumps(passwords, indent=1) + "\n")
    return passwords


def read_passwords(folder: Path) -> Passwords | None:
    """The passwords kept in a folder; None if there are none. Raises CannotStart for a file that is none of ours."""
    file = folder / PASSWORDS_FILE
    try:
        said = json.loads(file.read_text("utf-8"))
        passwords = {user: said[user] for user in User}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CannotStart(_damaged(file)) from error
    except OSError as error:
        raise CannotStart(f"can't read {file} ({error.strerror}): it must be this user's") from error
    if not all(isinstance(password, str) and len(password) >= SHORTEST_PASSWORD for password in passwords.values()):
        raise CannotStart(_damaged(file))
    return passwords


def _damaged(file: Path) -> str:
    return f"{file} does not hold the passwords of Redis' users: remove it, and new ones are made"


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replaces a file whole; only its user can read it, unless the mode says otherwise. Raises OSError."""
    # mkstemp makes the file for this user alone.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
