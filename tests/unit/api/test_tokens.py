"""Tokens as they are made, kept and found."""

import hmac
import json

import pytest

from api import tokens
from api.roles import Role
from api.tokens import InvalidTokens, Tokens, create, digest_of, parse, render


def test_a_token_is_found_by_what_is_kept_of_it_and_is_not_in_it() -> None:
    text, kept = create("ci", Role.AGENT)
    known = Tokens([create("other", Role.OPERATOR)[1], kept])
    principal = known.holder_of(text.encode())
    assert principal is not None
    assert (principal.name, principal.role) == ("ci", Role.AGENT)
    assert known.of_digest(principal.digest) == principal
    assert text not in repr(kept) + render([kept])


def test_a_token_has_256_bits_of_chance_and_a_mark_to_be_found_by() -> None:
    made = {create("ci", Role.AGENT)[0] for _ in range(100)}
    assert len(made) == 100
    assert all(text.startswith("aot_") and len(text) == len("aot_") + 43 for text in made)


@pytest.mark.parametrize("presented", [b"", b"aot_", b"\xff", b"x" * 10_000])
def test_what_is_nobodys_is_nobodys(presented: bytes) -> None:
    text, kept = create("ci", Role.AGENT)
    known = Tokens([kept])
    assert known.holder_of(presented) is None
    assert known.holder_of(text.encode()[:-1]) is None
    assert known.holder_of(kept.sha256.encode()) is None
    assert known.holder_of(bytes.fromhex(kept.sha256)) is None
    assert known.of_digest(digest_of("other")) is None
    assert Tokens([]).holder_of(presented) is None


@pytest.mark.parametrize("which", [0, 1, 2, None])
def test_each_is_compared_in_constant_time_whichever_it_is(monkeypatch: pytest.MonkeyPatch, which: int | None) -> None:
    made = [create(name, Role.VIEWER) for name in ("a", "b", "c")]
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return hmac.compare_digest(one, other)

    known = Tokens([kept for _, kept in made])
    monkeypatch.setattr(tokens, "hmac", type("Hmac", (), {"compare_digest": staticmethod(compare)}))
    principal = known.holder_of(b"none" if which is None else made[which][0].encode())
    assert (principal is None) == (which is None)
    assert compared == [bytes.fromhex(kept.sha256) for _, kept in made]


def test_what_is_written_is_read() -> None:
    kept = [create("a", Role.AGENT)[1], create("b.c-d_1", Role.OPERATOR)[1]]
    assert parse(render(kept)) == kept
    assert parse(render([])) == []


ONE = {"name": "a", "role": "agent", "sha256": "0" * 64, "created_at": ""}


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"tokens": null}', '{"tokens": [1]}',
        json.dumps({"tokens": [ONE | {"role": "root"}]}),
        json.dumps({"tokens": [ONE | {"name": "a b"}]}),
        json.dumps({"tokens": [ONE | {"sha256": "0" * 63}]}),
        json.dumps({"tokens": [ONE | {"sha256": "s3cret" * 11}]}),
        json.dumps({"tokens": [ONE | {"expires_at": "2020-01-01"}]}),
        json.dumps({"tokens": [ONE | {"s3cret": 1}]}),
        json.dumps({"tokens": [ONE], "s3cret": 1}),
        json.dumps({"tokens": [ONE], "version": 2}),
        json.dumps({"tokens": [ONE, ONE | {"sha256": "1" * 64}]}),
        json.dumps({"tokens": [ONE, ONE | {"name": "b", "role": "operator"}]}),
    ],
)  # fmt: skip
def test_what_is_not_understood_in_full_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidTokens) as refusal:
        parse(text)
    assert str(refusal.value)
    assert "s3cret" not in str(refusal.value)
