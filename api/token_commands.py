"""What `agent-orchestrator token` does."""

import re
from collections.abc import Iterator
from pathlib import Path

from api import token_file, tokens
from api.cannot_start import CannotStart
from api.roles import Role
from api.token_file import Unusable
from api.tokens import Token


def create(file: Path, name: str, role: str) -> str:
    """Keeps a new token's hash, and returns the token. Raises CannotStart."""
    if not re.fullmatch(tokens.NAME, name):
        raise CannotStart(f"{name!r} is no name: use 1 to 60 letters, digits, dots, hyphens and underscores")
    text, made = tokens.create(name, Role(role))

    def add(there: list[Token]) -> list[Token]:
        if any(token.name == name for token in there):
            raise Unusable(f"{file} has a token named {name!r} already: choose another name, or revoke that one first")
        return [*there, made]

    _change(file, add)
    return text


def revoke(file: Path, name: str) -> None:
    """Takes the token out of the file. Raises CannotStart."""

    def remove(there: list[Token]) -> list[Token]:
        left = [token for token in there if token.name != name]
        if len(left) == len(there):
            raise Unusable(f"{file} has no token named {name!r}; `agent-orchestrator token list` shows those it has")
        return left

    if not file.exists():
        raise CannotStart(f"{file} does not exist: name the file of tokens with --file")
    _change(file, remove)


def table(file: Path) -> Iterator[str]:
    """The tokens in lines, under headings. Raises CannotStart."""
    try:
        found = token_file.read(file)
    except Unusable as error:
        raise CannotStart(str(error)) from error
    rows = [("NAME", "ROLE", "CREATED"), *((token.name, token.role, token.created_at) for token in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _change(file: Path, edit: token_file.Edit) -> None:
    try:
        token_file.change(file, edit)
    except Unusable as error:
        raise CannotStart(str(error)) from error
