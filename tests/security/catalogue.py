"""All attacks, by name, in the order of the table.

A group is a module with a `GROUP` of its own; to add one, write it into GROUPS, and its attacks into docs/security.md.
"""

from tests.security import content, exposure, identifiers, jobs, json_bodies, neighbourhood, sizes, tokens

GROUPS = (neighbourhood.GROUP, tokens.GROUP, exposure.GROUP, jobs.GROUP, content.GROUP, identifiers.GROUP, json_bodies.GROUP, sizes.GROUP)
ATTACKS = {name: attack for group in GROUPS for name, attack in group.items()}
