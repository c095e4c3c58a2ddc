import xml.etree.ElementTree as ET

import pytest

from tests.faults.checker import Verdict
from tests.soak.curve import draw
from tests.soak.run import Soaked
from tests.soak.samples import Limits, Sample, Series, table

LIMITS = Limits(memory=100, files=50, tasks=50, growth=10)
STEADY = [70.0] * 40


def series(memory: list[float] = STEADY, files: list[int] | None = None, tasks: list[int] | None = None) -> Series:
    files, tasks = files or [20] * len(memory), tasks or [5] * len(memory)
    values = enumerate(zip(memory, files, tasks, strict=True))
    return Series("coordinator", LIMITS, [Sample(2.0 * n, *sample) for n, sample in values])


def test_what_stays_as_it_is_is_well() -> None:
    assert series().complaints() == []


def test_warming_up_is_no_growth() -> None:
    assert series([20.0 + 5 * n for n in range(10)] + [70.0] * 30).complaints() == []


@pytest.mark.parametrize(
    ("grown", "complaint"),
    [
        (series([60 + n for n in range(40)]), "memory grew from 74 to 94 MiB"),
        (series([*STEADY[:-1], 101.0]), "memory reached 101"),
        (series(files=[10 + n for n in range(40)]), "files never fell below 40, and to 20 before"),
        (series(tasks=[5] * 39 + [51]), "tasks reached 51"),
    ],
    ids=["memory grows", "memory peaks", "files grow", "tasks peak"],
)
def test_what_grows_or_passes_a_limit_is_told(grown: Series, complaint: str) -> None:
    (told,) = grown.complaints()
    assert complaint in told


def test_a_crowd_that_leaves_again_is_no_leak() -> None:
    assert series(files=[20, 49] * 20).complaints() == []


def test_the_table_and_the_picture_name_each_process() -> None:
    both = {"a": series(), "b < c": series([90.0] * 40)}
    both["b < c"].name = "b < c"
    told = table(both)
    assert "b < c" in told
    picture = ET.fromstring(draw(Soaked(78.0, both, 10, 9, Verdict(), 1)))
    texts = ["".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert "b < c, 90" in texts
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
