"""Reading `/metrics` as Prometheus does."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Metrics:
    """One reading: every sample by its name and labels."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def all(self, name: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """The samples of a name with these labels, and whatever others; `agent_orchestrator_` is put in front."""
        return [
            (sample.labels, sample.value)
            for sample in self.samples
            if sample.name in (name, f"agent_orchestrator_{name}") and labels.items() <= sample.labels.items()
        ]

    def value(self, name: str, **labels: str) -> float:
        """The sum of those samples; 0 where there is none."""
        return sum(value for _, value in self.all(name, **labels))


def read_metrics(url: str, **options: object) -> Metrics:
    """What a server tells at this moment."""
    answer = httpx.get(f"{url}/metrics", timeout=30, **options)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Metrics(answer.text)
