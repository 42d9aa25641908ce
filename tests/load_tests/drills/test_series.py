"""Series: what is done is done once, an interrupt loses no more than one drill."""

import asyncio
import json
from xml.etree import ElementTree as ET

import pytest

from load_tests.drills import results
from load_tests.drills.series import JUNIT_FILE, Request, Series, default_folder, interrupted
from load_tests.drills.summary import COLUMNS, row_of, table_of, worst
from load_tests.errors import LoadTestError
from tests.load_tests.drills.made_up import invalid, result, values
from worker.bench.support.verdict import Verdict

REQUEST = Request("local", ("a", "b"), 2, "abc")


class Runner:
    """Keeps a result for each drill, and is interrupted at the one that it is told to."""

    def __init__(self, stop_at=None):
        self.ran, self.stop_at = [], stop_at

    async def __call__(self, name, folder):
        folder.mkdir(parents=True)
        (folder / "operations-0.jsonl").write_text("")
        self.ran.append(folder.name)
        if folder.name == self.stop_at:
            raise asyncio.CancelledError
        results.write(folder, result(name))


def test_parts_are_all_drills_once_before_any_is_repeated():
    assert REQUEST.parts() == [("01-a-1", "a"), ("02-b-1", "b"), ("03-a-2", "a"), ("04-b-2", "b")]


async def test_an_interrupted_series_goes_on_with_what_is_missing(tmp_path):
    series = Series.begin(tmp_path / "s", REQUEST)
    first = Runner(stop_at="03-a-2")
    with pytest.raises(asyncio.CancelledError):
        await series.run(first)
    assert first.ran == ["01-a-1", "02-b-1", "03-a-2"]

    again = Series.resume(tmp_path / "s")
    second = Runner()
    await again.run(second)
    assert second.ran == ["03-a-2", "04-b-2"]
    assert (tmp_path / "s" / "03-a-2.interrupted").is_dir()
    assert again.missing() == []
    assert [one["drill"] for one in again.results()] == ["a", "b", "a", "b"]
    assert len(ET.parse(tmp_path / "s" / JUNIT_FILE).getroot()) == 4  # noqa: S314 - our own


async def test_the_same_request_finds_its_interrupted_series(tmp_path):
    assert interrupted(REQUEST, tmp_path) is None
    series = Series.begin(tmp_path / "1", REQUEST)
    found = interrupted(REQUEST, tmp_path)
    assert found is not None
    assert found.folder == tmp_path / "1"
    for other in (
        Request("local", ("a",), 2, "abc"),
        Request("local", ("a", "b"), 2, "other"),
        Request("x", ("a", "b"), 2, "abc"),
    ):
        assert interrupted(other, tmp_path) is None
    await series.run(Runner())
    assert interrupted(REQUEST, tmp_path) is None


def test_what_is_no_series_is_refused(tmp_path):
    with pytest.raises(LoadTestError, match=r"--resume: .* has no series of drills"):
        Series.resume(tmp_path)
    (tmp_path / "series.json").write_text('{"drills": ["a"]}')
    with pytest.raises(LoadTestError, match=r"--resume: .* has no series of drills"):
        Series.resume(tmp_path)
    with pytest.raises(LoadTestError, match=r"--output: .* has files already"):
        Series.begin(tmp_path, REQUEST)


def test_a_series_of_one_drill_has_its_name():
    assert default_folder(Request("local", ("a",), 1, "")).name.endswith("-a")
    assert default_folder(REQUEST).name.endswith("-series")


def test_the_table_tells_predicted_and_observed():
    row = dict(zip(COLUMNS, row_of(values(result())), strict=True))
    assert (row["verdict"], row["outage"], row["lost"], row["failed"]) == ("PASS", "3.1 s", "0", "0")
    assert row["predicted / observed"] == "33% of shards, 8 s / 30%, 3.1 s"
    nothing = dict(zip(COLUMNS, row_of(values(invalid())), strict=True))
    assert (nothing["verdict"], nothing["outage"], nothing["predicted / observed"]) == (
        "INVALID",
        "",
        "no prediction",
    )
    assert table_of([values(result()), values(invalid())]).row_count == 2


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([Verdict.PASS, Verdict.PASS], Verdict.PASS),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], Verdict.INCONCLUSIVE),
        ([Verdict.INCONCLUSIVE, Verdict.INVALID], Verdict.INVALID),
        ([Verdict.INVALID, Verdict.FAIL, Verdict.PASS], Verdict.FAIL),
    ],
)
def test_the_worst_verdict_is_the_exit_status(verdicts, expected):
    assert worst(verdicts) is expected


def test_junit_has_an_element_for_each_verdict(tmp_path):
    series = Series.begin(tmp_path, Request("local", ("a", "b", "c", "d"), 1, "abc"))
    kept = [result("a"), result("b", Verdict.FAIL), invalid("c"), result("d", Verdict.INCONCLUSIVE)]
    for (name, _), one in zip(series.request.parts(), kept, strict=True):
        (tmp_path / name).mkdir()
        results.write(tmp_path / name, one)
    series.write_junit()
    suite = ET.parse(tmp_path / JUNIT_FILE).getroot()  # noqa: S314 - our own
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "1"]
    assert [[child.tag for child in case if child.tag != "properties"] for case in suite] == [
        [],
        ["failure"],
        ["error"],
        ["skipped"],
    ]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "a reason <b>"
    assert json.dumps([case.get("name") for case in suite]) == '["a", "b", "c", "d"]'
