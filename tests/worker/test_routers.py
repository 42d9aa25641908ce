"""Planner and renderer: pure, data-driven."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import TemplateInvalidError
from worker.routers.planner import plan
from worker.routers.rendering import render


@pytest.mark.parametrize(
    ("running", "desired", "commands"),
    [
        ((), ("a",), ("a",)),
        (("a",), (), ("no a",)),
        (("a", "b"), ("b", "a"), ()),
        (("a", "b", "c"), ("b", "d"), ("no a", "no c", "d")),
        (("a", "a"), ("b", "b"), ("no a", "b")),
    ],
)
def test_plan(running: tuple[str, ...], desired: tuple[str, ...], commands: tuple[str, ...]) -> None:
    assert plan(running, desired) == commands


_LINES = st.lists(st.sampled_from(["a", "b", "c", "d"]))


@settings(deadline=None)  # a loaded machine is no bug
@given(_LINES, _LINES)
def test_plan_leads_from_running_to_desired(running: list[str], desired: list[str]) -> None:
    lines = set(running)
    for command in plan(running, desired):
        if command.startswith("no "):
            lines.remove(command.removeprefix("no "))
        else:
            assert command not in lines
            lines.add(command)

    assert lines == set(desired)


def test_render_fills_in_and_drops_comments() -> None:
    template = "! head\nhostname $name\n\n  ntp server ${ntp}  \nbanner $$\n"

    assert render("r1", template, {"name": "x", "ntp": "192.0.2.1"}) == (
        "hostname x",
        "ntp server 192.0.2.1",
        "banner $",
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("hostname $name", "r1: variable 'name' has no value"),
        ("cost 5$", "r1: template is malformed: Invalid placeholder in string: line 1, col 7"),
        ("! nothing\n\n", "r1: template renders to nothing"),
    ],
)
def test_render_refuses(template: str, message: str) -> None:
    with pytest.raises(TemplateInvalidError) as caught:
        render("r1", template, {})

    assert str(caught.value) == message
