"""Tokens: how one is made and kept, and whose it is that is presented. No I/O."""

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_bus.timestamps import now
from api.roles import Role

# Those who look for secrets in files and logs find ours by it.
PREFIX = "aot_"
_BYTES = 32
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose a token is. `digest` tells it from one that had the same name before."""

    name: str
    role: Role
    digest: str


class Token(BaseModel):
    """A token as it is kept."""

    # A field that is not known here may be a limit on what the token is good for.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=NAME)]
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tokens: list[Token]


class InvalidTokens(ValueError):
    """The text is no list of tokens; the message says why, and repeats nothing of it."""


def digest_of(token: str) -> str:
    """What is kept of a token.

    A plain hash, not one that is slow on purpose as passwords need: a token is 256 random bits, so there is nothing to
    guess, and every request pays for it.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def create(name: str, role: Role) -> tuple[str, Token]:
    """A new token, which is not kept anywhere, and what is kept of it."""
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    return token, Token(name=name, role=role, sha256=digest_of(token), created_at=now())


def parse(text: str) -> list[Token]:
    """Reads what `render` wrote. Raises InvalidTokens."""
    try:
        tokens = _File.model_validate_json(text).tokens
    except ValidationError as error:
        first = error.errors()[0]
        # A name that is not ours may be anything, a token by mistake included.
        ours = {"tokens", *Token.model_fields}
        place = (
            ".".join(str(p) if p in ours or isinstance(p, int) else "another field" for p in first["loc"]) or "the file"
        )
        raise InvalidTokens(f"{place}: {first['msg']}") from error
    for what, values in (("name", [token.name for token in tokens]), ("hash", [token.sha256 for token in tokens])):
        if values and (most := Counter(values).most_common(1)[0])[1] > 1:
            raise InvalidTokens(f"the {what} {most[0]!r} is given twice")
    return tokens


def render(tokens: Iterable[Token]) -> str:
    """The tokens as the file holds them."""
    return _File(tokens=list(tokens)).model_dump_json(indent=2) + "\n"


class Tokens:
    """The tokens in force."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {token.sha256: Principal(token.name, token.role, token.sha256) for token in tokens}
        self._digests = [bytes.fromhex(digest) for digest in self._by_digest]

    def __len__(self) -> int:
        return len(self._digests)

    def holder_of(self, presented: bytes) -> Principal | None:
        """Whose token this is; None for nobody's.

        Takes as long whichever it is, and whether it is any: each is compared, and in constant time.
        """
        digest = hashlib.sha256(presented).digest()
        found = None
        for known in self._digests:
            if hmac.compare_digest(known, digest):
                found = known
        return None if found is None else self._by_digest[found.hex()]

    def of_digest(self, digest: str) -> Principal | None:
        """The holder of a token that was presented before, if it is still in force."""
        return self._by_digest.get(digest)
