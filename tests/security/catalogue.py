"""All attacks, by name, in the order of the table.

A group is a module with a `GROUP` of its own; to add one, write it into GROUPS, and its attacks into docs/security.md.
"""

from tests.security import (
    channels,
    content,
    dashboard_page,
    exposure,
    floods,
    frames,
    heads,
    identifiers,
    jobs,
    json_bodies,
    neighbourhood,
    redis_rights,
    secrets_kept,
    sizes,
    slow_clients,
    smuggling,
    tokens,
)

GROUPS = (
    neighbourhood.GROUP,
    tokens.GROUP,
    exposure.GROUP,
    content.GROUP,
    dashboard_page.GROUP,
    identifiers.GROUP,
    json_bodies.GROUP,
    sizes.GROUP,
    smuggling.GROUP,
    slow_clients.GROUP,
    heads.GROUP,
    frames.GROUP,
    floods.GROUP,
    jobs.GROUP,
    channels.GROUP,
    redis_rights.GROUP,
    secrets_kept.GROUP,
)
ATTACKS = {name: attack for group in GROUPS for name, attack in group.items()}
