"""Each planted bug is caught by exactly its invariant, on a real server; the clean run by none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from load_tests.checker.invariants import INVARIANTS
from load_tests.checker.mutations.bugs import BUGS
from load_tests.checker.mutations.score import Caught, score


@pytest.fixture(scope="module")
def caught() -> Mapping[str, Caught]:
    return {one.bug.name: one for one in asyncio.run(score())}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_bug_is_caught_by_its_invariant_alone(caught: Mapping[str, Caught], bug) -> None:
    one = caught[bug.name]

    assert one.by == ((bug.caught_by,) if bug.caught_by else ()), one.to_dict()
    assert one.is_right, one.to_dict()


def test_every_invariant_has_a_bug(caught: Mapping[str, Caught]) -> None:
    names = {judged.invariant for judged in caught["clean"].report.judgements}

    assert names == {bug.caught_by for bug in BUGS if bug.caught_by}
    assert len(INVARIANTS) == len(names)


def test_clean_run_checks_something_of_every_invariant(caught: Mapping[str, Caught]) -> None:
    idle = [judged.invariant for judged in caught["clean"].report.judgements if not judged.checked]

    assert idle == []
