"""The planner: cases in `plans/`, one file per platform, and properties."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.routers.frr_model import FrrModel, configuration, tree, without_empty
from worker.routers.planner import plan

PLANS = Path(__file__).parent / "plans"


def _cases() -> Iterator[object]:
    for file in sorted(PLANS.glob("*.txt")):
        for case in file.read_text().split("=== ")[1:]:
            title, _, body = case.partition("\n")
            parts = re.split(r"^--- (\w+)\n", body, flags=re.MULTILINE)
            lines = {
                name: tuple(text.splitlines()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
            }
            yield pytest.param(file.stem, lines, id=f"{file.stem}: {title}")


@pytest.mark.parametrize(("platform", "lines"), list(_cases()))
def test_plan(platform: str, lines: dict[str, tuple[str, ...]]) -> None:
    commands = plan(platform, lines.get("running", ()), lines.get("desired", ()))

    assert "\n".join(commands).splitlines() == list(lines.get("commands", ()))


@pytest.mark.parametrize("platform", [file.stem for file in PLANS.glob("*.txt")])
def test_what_runs_needs_no_commands(platform: str) -> None:
    running = ("interface a", " description x", "banner motd #", "text", "#")

    assert plan(platform, running, running) == ()


_LINES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "no "])).map(
    lambda signs: [f"{sign}{letter}" for letter, sign in signs.items()]
)


@settings(deadline=None)  # a loaded machine is no bug
@given(_LINES, _LINES)
def test_flat_plan_leads_from_running_to_desired(running: list[str], desired: list[str]) -> None:
    signs = {line[-1]: line for line in running}
    for command in plan("simulated", running, desired):
        letter = command[-1]
        assert signs.get(letter) != command, "said for nothing"
        if letter in signs and command not in desired:
            del signs[letter]
        else:
            signs[letter] = command

    assert set(signs.values()) == set(desired)


_CHANCES = st.randoms(use_true_random=False)


@settings(deadline=None, max_examples=200)
@given(_CHANCES, _CHANCES)
def test_frr_plan_leads_from_running_to_desired(before: random.Random, after: random.Random) -> None:
    running, desired = configuration(before), configuration(after)
    router = FrrModel(running)

    router.type(plan("frr", running, desired))

    assert without_empty(router.root) == tree(desired)
