"""Errors that waiting does not mend: Redis does not let us in, or we don't trust it. As lines that say what to do."""

import ssl

from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from agent_bus.connection import redact, user_of

# What a script must not do makes an error without a code of its own; up to 7.0 it is the first, later the second.
_NOT_IN_SCRIPTS = ("The user executing the script can't", "ACL failure in script")


def is_not_permitted(error: BaseException) -> bool:
    """Whether the user that we are may not do what we asked for."""
    return isinstance(error, NoPermissionError) or (
        isinstance(error, ResponseError) and any(said in str(error) for said in _NOT_IN_SCRIPTS)
    )


def explain_refusal(error: BaseException, url: str) -> str | None:
    """What keeps us out of the Redis at the URL, and what to do, in one line without a secret.

    None for an error of another kind: Redis is away, say, and may come back.
    """
    shown = redact(url)
    if isinstance(error, AuthenticationError):
        return (
            f"Redis at {shown} refuses the password: put the right one into the URL, redis://user:password@host:6379/0 "
            "(where `agent-orchestrator acl write` made the users, `acl url` prints it)"
        )
    if is_not_permitted(error):
        return (
            f"Redis at {shown} does not permit the user {user_of(url)} what is needed ({error}): take the URL of the "
            "right user, or give it the rules that `agent-orchestrator acl write` writes"
        )
    if (trouble := _tls_trouble(error)) is not None:
        return _explain_tls(trouble, shown)
    return None


def _tls_trouble(error: BaseException) -> str | None:
    """What TLS had to say, somewhere below the client's own error."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError) or "[SSL: " in str(below):
            return str(below)
        below = below.__cause__ or below.__context__
    return None


def _explain_tls(trouble: str, shown: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in trouble:
        if "mismatch" in trouble:
            return f"the certificate of Redis at {shown} is for another name: use in the URL a host name that it is for"
        return (
            f"the certificate of Redis at {shown} is not trusted ({_reason(trouble)}): name the one that signed it in "
            "the URL, ?ssl_ca_certs=/path/to/ca.pem"
        )
    if "CERTIFICATE_REQUIRED" in trouble or "HANDSHAKE_FAILURE" in trouble:
        return (
            f"Redis at {shown} wants a certificate of ours: name it and its key in the URL, "
            "?ssl_certfile=/path/to/cert.pem&ssl_keyfile=/path/to/key.pem"
        )
    if "WRONG_VERSION_NUMBER" in trouble or "RECORD_LAYER_FAILURE" in trouble or "PACKET_LENGTH_TOO_LONG" in trouble:
        return f"what answers at {shown} does not speak TLS: use redis://, or the port that speaks it"
    return f"there is no TLS with Redis at {shown} ({_reason(trouble)}): compare both sides' settings"


def _reason(trouble: str) -> str:
    return trouble.partition("[SSL: ")[2].partition("] ")[2].partition(" (_ssl")[0] or trouble
