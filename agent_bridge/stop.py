"""`agent-bridge stop`: ends sessions, and says what is known of each."""

import json
import sys

import click

from agent_bridge.coordinator import Coordinator, Json, NotOne, with_coordinator
from agent_bridge.listing import one_line, say

NOT_CONFIRMED = " (not confirmed yet; `agent-bridge ps --all` and `tail` show when it is)"


@click.command()
@click.argument("sessions", metavar="SESSION…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every session that is running.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as the API gives them.")
@with_coordinator
def stop(coordinator: Coordinator, sessions: tuple[str, ...], *, everything: bool, as_json: bool) -> None:
    """Stop sessions: by id, or running ones by their name or the start of their id.

    The exit code is 0 if every one is known to be over, 1 if one is unknown or has not confirmed yet.
    """
    if everything == bool(sessions):
        raise click.UsageError("say which sessions to stop, or --all")
    session_ids = None if everything else _find(coordinator, sessions)
    results = _stop(coordinator, session_ids)
    if everything and not results:
        say("no session is running")
    over = session_ids is None or len(session_ids) == len(sessions)
    for result in results:
        known = result | {"stop_confirmed": _confirmed(coordinator, result)}
        unconfirmed = result["success"] and known["stop_confirmed"] is False
        over = over and result["success"] and not unconfirmed
        line = f"{result['session_id']}: {one_line(result['message'])}{NOT_CONFIRMED if unconfirmed else ''}"
        click.echo(json.dumps(known) if as_json else line)
    sys.exit(0 if over else 1)


def _confirmed(coordinator: Coordinator, result: Json) -> bool | None:
    """What the session says of its stop; None where none was needed, or there is no such session."""
    session = coordinator.session(result["session_id"]) if result["status"] == "stopped" else None
    return session["stop_confirmed"] if session else None


def _find(coordinator: Coordinator, sessions: tuple[str, ...]) -> list[str]:
    """The ids of those that there are; says which are missing. All are found before any is stopped."""
    found = []
    for given in sessions:
        try:
            found.append(coordinator.find(given)["session_id"])
        except NotOne as error:
            # The others are to be stopped all the same.
            error.show()
    return found


def _stop(coordinator: Coordinator, session_ids: list[str] | None) -> list[Json]:
    """Stops them together, for each may take as long as an agent's confirmation."""
    if session_ids is None or len(session_ids) > 1:
        return coordinator.stop_several(session_ids)
    return [coordinator.stop(session_id) or _gone(session_id) for session_id in session_ids]


def _gone(session_id: str) -> Json:
    """What the coordinator says of such a session among several."""
    message = f"No session {session_id!r}"
    return {"success": False, "ok": False, "session_id": session_id, "status": "unknown", "message": message}
