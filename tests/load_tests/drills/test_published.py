"""The published table: worst and spread, stale rows, and that it is what the results kept make of it."""

from load_tests.drills import published, results
from load_tests.drills.catalogue import ROOT, load_all
from load_tests.drills.fingerprint import sources, stack_hash
from tests.load_tests.drills.made_up import invalid, result, values
from worker.bench.support.verdict import Verdict

DRILLS = load_all(published.PLAIN)


def row_of(name, found, present="abc"):
    text = published.page([values(one) for one in found], DRILLS, {"local": present})
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_row_has_the_worst_of_all_runs_and_the_spread():
    runs = [result(outage=1), result(outage=3), result(outage=2, verdict=Verdict.FAIL)]
    assert row_of("history-killed", runs) == [
        "history-killed", "local", "3", "FAIL (1 of 3)", "3.1 (1.1 to 3.1)", "8 / 0.5", "0", "0", "1.00", "2027-01-15", "1234567",
    ]  # fmt: skip


def test_results_of_another_stack_count_only_while_there_are_none_of_this_one_and_are_stale():
    old, new = result(outage=9, stack_hash="old", began=1e9), result(outage=1)
    assert row_of("history-killed", [old, new])[2:5] == ["1", "PASS", "1.1"]
    assert row_of("history-killed", [old])[2:5] == ["1", "PASS (stale)", "9.1"]
    older = result(outage=19, stack_hash="older", began=9e8)
    assert row_of("history-killed", [older, old])[2:5] == ["1", "PASS (stale)", "9.1"]


def test_a_drill_that_was_not_run_says_so():
    assert row_of("worker-killed", [])[:4] == ["worker-killed", "", "0", "not run"]


def test_every_drill_has_a_row_and_the_release_set_comes_first():
    text = published.page([], DRILLS, {})
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    names = [name for name in rows if name != "drill"]
    assert sorted(names) == sorted(DRILLS)
    assert all(DRILLS[name].is_release for name in names[:9])


def test_results_are_kept_but_for_those_that_show_nothing(tmp_path):
    for folder, made in (("a", result()), ("b", invalid())):
        (tmp_path / folder).mkdir()
        results.write(tmp_path / folder, made)
    kept = published.keep(tmp_path / "a", tmp_path)
    assert kept == tmp_path / "docs/drills/results/history-killed/20270115T080000.json"
    assert published.keep(tmp_path / "b", tmp_path) is None
    assert [one["run"] for one in published.read_all(tmp_path)] == ["r1"]


def test_the_published_table_is_what_the_results_kept_make_of_it():
    page = ROOT / published.FOLDER / published.PAGE
    assert page.read_text() == published.generate(ROOT), "run python -m load_tests table"


def test_the_hash_is_of_what_defines_the_stack(tmp_path):
    for name in ("infra/a.py", "worker/b.py", "stacks/Pulumi.local.yaml", "requirements/worker.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    first = stack_hash(tmp_path, "local")
    for name in (
        "infra/__pycache__/a.pyc",
        "worker/bench/c.py",
        "stacks/Pulumi.other.yaml",
        "load_tests/d.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert stack_hash(tmp_path, "local") == first
    assert [path.name for path in sources(tmp_path, "local")] == [
        "a.py",
        "worker.txt",
        "Pulumi.local.yaml",
        "b.py",
    ]
    for path in sources(tmp_path, "local"):
        before = path.read_text()
        path.write_text("changed")
        assert stack_hash(tmp_path, "local") != first
        path.write_text(before)
    (tmp_path / "infra/a.py").rename(tmp_path / "infra/z.py")
    assert stack_hash(tmp_path, "local") != first
