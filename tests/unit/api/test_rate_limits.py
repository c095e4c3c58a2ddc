"""The answer says which limit, whose, and where it is set."""

import json

from api.rate_limits import too_many


def test_it_can_be_acted_on() -> None:
    answer = too_many("The session 's'", "5 events", "SETTING", 2.1)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    detail = json.loads(bytes(answer.body))["detail"]
    assert detail == "The session 's' is over its limit of 5 events a second; try again in 3 s, or raise SETTING"


def test_it_is_never_worth_coming_back_at_once() -> None:
    assert too_many("x", "1", "S", 0.0002).headers["retry-after"] == "1"
