"""Files of operations: what is left of a run that was cut off."""

from dataclasses import replace

import pytest

from load_tests import records
from load_tests.errors import LoadTestError
from load_tests.models import ClientKind, Operation, OperationKind, Outcome

SENT = Operation(
    number=3, kind=OperationKind.START, client=ClientKind.USER, tenant="chogar", zone="", namespace="production",
    workflow_id="deploy-chogar-r1", key="request", intended=100.5, sent=100.501,
)  # fmt: skip
ENDED = replace(SENT, ended=100.7, outcome=Outcome.OK, run_id="run", attempts=1, expected='{"a": 1}')


def write(path, *operations):
    with records.OperationWriter(path) as writer:
        for operation in operations:
            writer.write(operation)


def test_the_last_line_of_an_operation_counts(tmp_path):
    write(tmp_path / "operations-0.jsonl", SENT, replace(SENT, number=4), ENDED)
    assert records.read_all(tmp_path) == [ENDED, replace(SENT, number=4)]


def test_a_file_cut_off_anywhere_keeps_every_whole_line(tmp_path):
    whole, path = (
        records.to_line(SENT).encode() + records.to_line(ENDED).encode(),
        tmp_path / "operations-0.jsonl",
    )
    first = len(records.to_line(SENT))
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        expected = [] if length < first - 1 else [SENT] if length < len(whole) - 1 else [ENDED]
        assert records.read_all(tmp_path) == expected


def test_what_is_no_operation_is_named(tmp_path):
    (tmp_path / "operations.jsonl").write_text('{"number": 1}\n')
    with pytest.raises(LoadTestError, match=r"operations.jsonl:1: .* must be an operation"):
        records.read_all(tmp_path)
    with pytest.raises(LoadTestError, match=r"has no operations\.jsonl; name the folder of a run"):
        records.read_all(tmp_path / "other")


def test_merging_keeps_all_and_removes_the_parts(tmp_path):
    write(tmp_path / "operations-0.jsonl", ENDED)
    write(tmp_path / "operations-1.jsonl", replace(SENT, number=1))
    operations = records.read_all(tmp_path)
    records.write_all(tmp_path, operations)
    assert [path.name for path in tmp_path.iterdir()] == ["operations.jsonl"]
    assert records.read_all(tmp_path) == operations == [replace(SENT, number=1), ENDED]
