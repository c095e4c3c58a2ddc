"""Keys: no two things share one, and no two namespaces."""

import inspect
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from agent_bus.identifiers import ID_PATTERN
from agent_bus.keys import Keys

PER_ID: list[Callable[[Keys, str], str]] = [
    Keys.session, Keys.history, Keys.control, Keys.probe, Keys.produced, Keys.document, Keys.tag, Keys.due,
    Keys.sessions_of_status, Keys.sessions_of_agent, Keys.ticket,
]  # fmt: skip
SINGLE = [name for name, value in inspect.getmembers(Keys, lambda value: isinstance(value, property))]

ids = st.from_regex(ID_PATTERN, fullmatch=True)
namespaces = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)


def everything(keys: Keys, identifier: str) -> list[str]:
    return [
        *(getattr(keys, name) for name in SINGLE),
        *(kind(keys, identifier) for kind in PER_ID),
        keys.statistics(300),
    ]


@given(identifier=ids)
def test_different_things_have_different_keys(identifier: str) -> None:
    keys = everything(Keys(), identifier)
    assert len(set(keys)) == len(keys)


@given(one=ids, other=ids)
def test_no_id_can_pose_as_another_thing(one: str, other: str) -> None:
    # A session's id comes from outside; what else ends a key is ours or has no colon.
    for kind in (Keys.session, Keys.history, Keys.control):
        keys = set(everything(Keys(), "x")) | {other_kind(Keys(), other) for other_kind in PER_ID if other_kind != kind}
        assert kind(Keys(), one) not in keys or one == "x"
        assert (kind(Keys(), one) == kind(Keys(), other)) == (one == other)


@given(one=namespaces, other=namespaces, identifier=ids)
def test_namespaces_share_nothing(one: str, other: str, identifier: str) -> None:
    if one != other:
        assert not set(everything(Keys(one), identifier)) & set(everything(Keys(other), identifier))
        assert not Keys(one).session_prefix.startswith(Keys(other).session_prefix)


def test_every_key_begins_with_its_namespace() -> None:
    assert all(key.startswith("ns:") for key in everything(Keys("ns"), "x"))
