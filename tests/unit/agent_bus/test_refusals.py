"""What is said to people whom Redis does not let in; `tests/integration/test_redis_tls.py` has what TLS itself says."""

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from agent_bus.refusals import explain_refusal, is_not_permitted

URL = "redis://bridge:s3cret@host:6379/0"
IN_SCRIPT = ResponseError(
    "Error running script (call to f_1): @user_script:1: The user executing the script can't run this command"
)
IN_SCRIPT_SINCE_7_2 = ResponseError("ACL failure in script: User bridge has no permissions to run the 'get' command")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AuthenticationError("invalid username-password pair or user is disabled."), "put the right one into the URL"),
        (NoPermissionError("User bridge has no permissions to run the 'info' command"), "permit the user bridge"),
        (IN_SCRIPT, "`agent-orchestrator acl write`"),
        (IN_SCRIPT_SINCE_7_2, "`agent-orchestrator acl write`"),
        (RedisConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate (_ssl.c:1)"), "ssl_ca_certs="),
        (RedisConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] Hostname mismatch, (_ssl.c:1)"), "for another name"),
        (RedisConnectionError("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] alert (_ssl.c:1)"), "ssl_certfile="),
        (RedisConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)"), "does not speak TLS"),
        (RedisConnectionError("[SSL: NO_SHARED_CIPHER] none (_ssl.c:1)"), "(none): compare"),
    ],
)
def test_a_refusal_is_one_line_that_says_where_and_what_to_do(error: Exception, said: str) -> None:
    line = explain_refusal(error, URL)
    assert line is not None
    assert said in line
    assert "redis://bridge:***@host:6379/0" in line
    assert "s3cret" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "error", [RedisConnectionError("refused"), ResponseError("OOM command not allowed"), OSError()]
)
def test_what_may_mend_itself_is_no_refusal(error: Exception) -> None:
    assert explain_refusal(error, URL) is None


def test_the_reason_may_lie_below_the_client_s_error() -> None:
    error = RedisConnectionError("Error 1 connecting to host:6379.")
    error.__cause__ = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired (_ssl.c:1)")
    assert "not trusted (certificate has expired)" in str(explain_refusal(error, URL))


def test_a_script_that_may_not_is_told_from_one_that_is_wrong() -> None:
    assert is_not_permitted(IN_SCRIPT)
    assert not is_not_permitted(ResponseError("Error running script (call to f_1): @user_script:1: WRONGTYPE"))
