import json

from api.readiness import OK, readiness


def test_all_is_well() -> None:
    answer = readiness({"redis": OK, "store": OK}, connections=3)
    assert answer.status_code == 200
    assert json.loads(bytes(answer.body)) == {
        "status": "ready", "checks": {"redis": "ok", "store": "ok"}, "connections": 3,
    }  # fmt: skip


def test_everything_that_is_wrong_is_said_as_every_error_is() -> None:
    answer = readiness({"redis": "Redis is away", "store": OK, "disk": "The disk is full"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    body = json.loads(bytes(answer.body))
    assert body["detail"] == "Redis is away; The disk is full"
    assert body["checks"]["store"] == "ok"
