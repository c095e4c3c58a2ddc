"""All attacks, by name, in the order of the table.

A group is a module with a `GROUP` of its own; to add one, write it into GROUPS, and its attacks into docs/security.md.
"""

from tests.security import exposure, jobs, neighbourhood, tokens

GROUPS = (neighbourhood.GROUP, tokens.GROUP, exposure.GROUP, jobs.GROUP)
ATTACKS = {name: attack for group in GROUPS for name, attack in group.items()}
