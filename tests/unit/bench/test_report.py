"""Reports: kept as JSON and read back, shown as a table, compared with another run."""

import json
from dataclasses import replace
from pathlib import Path
from xml.dom.minidom import parseString

import pytest

from bench.growth_chart import draw_growth
from bench.report import Report, figure, moved, put_table, table
from bench.rows import Row
from bench.table_chart import advantage, draw_table

ROW = Row("fanout", "messages/s <&>", 4e6, 1e5, 40.0, 6.0, "higher", True, 0.1, True, note="with a note")
LATENCY = Row("latency", "ms", 3.0, 4.0, 0.75, 1.0, "lower", True, 0.0, True)


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    report = Report({"cores": 2}, [ROW, LATENCY])
    path = tmp_path / "latest.json"
    path.write_text(report.as_json())
    assert Report.read(path) == report
    assert Report.read(tmp_path / "missing.json") is None


def test_fields_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    content = json.loads(Report({}, [ROW]).as_json())
    content["rows"][0]["colour"] = "green"
    path = tmp_path / "latest.json"
    path.write_text(json.dumps(content))
    assert Report.read(path) == Report({}, [ROW])


def test_a_row_has_the_fields_that_readers_of_the_file_rely_on() -> None:
    (row,) = json.loads(Report({}, [ROW]).as_json())["rows"]
    assert {"id", "what", "ours", "theirs", "value", "target", "better", "met", "spread", "correct"} <= row.keys()


def test_the_table_says_what_is_not_met() -> None:
    lines = table([ROW, replace(LATENCY, value=1.5, met=False)]).splitlines()
    assert lines[0].split() == ["id", "what", "ours", "theirs", "value", "target", "met", "spread"]
    assert "yes" in lines[1]
    assert "(with a note)" in lines[2]
    assert "NO" in lines[3]


def test_a_documents_table_is_replaced_and_nothing_around_it() -> None:
    once = put_table("above\n<!-- table -->\nold\n<!-- end of table -->\nbelow\n", [ROW])
    assert once.startswith("above\n<!-- table -->\n| what |")
    assert once.endswith("\n<!-- end of table -->\nbelow\n")
    assert "old" not in once
    assert put_table(once, [ROW]) == once
    with pytest.raises(ValueError, match="marks"):
        put_table("no marks", [ROW])


@pytest.mark.parametrize(
    ("value", "better", "said"),
    [(60.0, "higher", "better: 40 → 60"), (20.0, "higher", "WORSE: 40 → 20"), (44.0, "higher", None)],
)
def test_only_what_moved_noticeably_is_told(value: float, better: str, said: str | None) -> None:
    told = list(moved([ROW], [replace(ROW, value=value), LATENCY]))
    assert told == ([f"fanout is {said}"] if said else [])


def test_times_are_not_compared_between_machines() -> None:
    start = Row("start", "s", 1.0, 0.0, 1.0, 2.0, "lower", True, 0.0, True, unit="s")
    assert list(moved([start], [replace(start, value=5.0)])) == []


@pytest.mark.parametrize(("value", "text"), [(0.8123, "0.812"), (12.0, "12"), (3812345.0, "3,810,000"), (0.0, "0")])
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text


def test_an_advantage_is_how_often_the_target_is_passed() -> None:
    assert advantage(ROW) == pytest.approx(40 / 6)
    assert advantage(LATENCY) == pytest.approx(1 / 0.75)
    assert advantage(replace(LATENCY, value=0.0, target=0.0)) > 1


def test_pictures_are_well_formed_whatever_a_row_is_called() -> None:
    growth = replace(
        LATENCY, id="growth_events_get", what="GET /events/{id}, ms, many vs few", note="1.00 → 1.50 → 2.00 ms"
    )
    parseString(draw_table([ROW, LATENCY, growth]))
    picture = draw_growth([ROW, growth])
    parseString(picture)
    assert "GET /events/{id}, 2.00 ms" in picture
