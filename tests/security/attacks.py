"""What an attack is: what is tried, what must come of it, and the same thing from somebody who may, which works."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.security.system import System


@dataclass(slots=True)
class Tries:
    """What came of one attack's tries.

    refused: in which ways, and how often each. controls: what worked for who may. through: what should have been
    refused and was not, or what should have worked and did not.
    """

    refused: Counter[str] = field(default_factory=Counter)
    controls: list[str] = field(default_factory=list)
    through: list[str] = field(default_factory=list)

    def refuse(self, what: str, how: object, *wanted: object) -> None:
        """Notes a try: it has to have been refused in one of the wanted ways."""
        if how in wanted:
            self.refused[str(how)] += 1
        else:
            self.through.append(f"{what}: {how}, not {' or '.join(map(str, wanted))}")

    def harmless(self, what: str, how: str, *, held: bool) -> None:
        """Notes a try that nobody refuses, since it does no harm. how: in which way; held: that it did none."""
        if held:
            self.refused[how] += 1
        else:
            self.through.append(f"{what}: not {how}")

    def control(self, what: str, *, works: bool) -> None:
        """Notes what somebody did who may."""
        if works and what not in self.controls:
            self.controls.append(what)
        if not works:
            self.through.append(f"control: {what} did not work")

    @property
    def good(self) -> bool:
        """Whether something was tried, nothing got through, and a control has worked."""
        return bool(self.refused and self.controls and not self.through)

    def explain(self) -> str:
        """What is wrong, a line each."""
        missing = [f"nothing was {what}" for what, there in (("tried", self.refused), ("controlled", self.controls))
                   if not there]  # fmt: skip
        return "\n".join([*self.through, *missing])


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack by its name in docs/security.md. title: what it does, for the table."""

    name: str
    title: str
    run: Callable[["System", Tries], None]


Attacks = dict[str, Attack]
Run = Callable[["System", Tries], None]


def into(group: Attacks, name: str, title: str) -> Callable[[Run], Run]:
    """A decorator that puts an attack into its group."""

    def put(run: Run) -> Run:
        assert name not in group, f"two attacks are called {name}"
        group[name] = Attack(name, title, run)
        return run

    return put
