"""All harnesses, by name."""

from tests.fuzz import forms, heads, histories, orders, reports

GROUPS = (reports.GROUP, forms.GROUP, histories.GROUP, heads.GROUP, orders.GROUP)
HARNESSES = {name: harness for group in GROUPS for name, harness in group.items()}
