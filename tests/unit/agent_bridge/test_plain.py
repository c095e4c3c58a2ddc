"""Any value becomes JSON, in bounded time and space."""

import json
from typing import Any

from agent_bridge.plain import ELLIPSIS, MAX_NODES, as_plain_json, readable


def plain(value: object) -> Any:
    return json.loads(as_plain_json(value))


def test_plain_values_stay_as_they_are() -> None:
    value = {"a": [1, 2.5, None, True, "é漢🙂"], "b": {"c": []}}
    assert plain(value) == value


def test_cycles_end_where_they_close() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert plain(value) == [1, ELLIPSIS]


def test_the_same_thing_beside_itself_is_no_cycle() -> None:
    shared = [1]
    assert plain([shared, shared]) == [[1], [1]]


def test_what_shares_its_parts_is_not_unrolled_for_ever() -> None:
    value: object = 1
    for _ in range(60):
        value = [value, value]
    assert len(as_plain_json(value)) < 20 * MAX_NODES


def test_numbers_that_json_lacks_are_written_out() -> None:
    assert plain([float("nan"), float("inf"), 2**70, 2**5000]) == ["nan", "inf", 2**70, hex(2**5000)]


def test_objects_are_shown_and_those_that_refuse_are_named() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError

    assert plain({"a": Shy(), "b": {1, 2}, "c": b"x", 7: 1}) == {"a": "<Shy>", "b": [1, 2], "c": "b'x'", "7": 1}


def test_text_that_is_no_utf_8_is_replaced() -> None:
    assert readable("caf\udce9") == "caf?"
    assert plain("\ud800") == "?"
