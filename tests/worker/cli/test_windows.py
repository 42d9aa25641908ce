"""`routers windows`, on the dev server's schedules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.cli.support import Cli
from tests.worker.support import eventually
from worker.tenancy import Tenant


@pytest.fixture
def given(tenant: Tenant, template: Path, tmp_path: Path) -> list[str]:
    targets = tmp_path / "targets.csv"
    targets.write_text("router,name\nr1,new\nr2,new\n")
    files = ["--template", str(template), "--targets", str(targets), "--change", "C-1"]
    return [
        "--tenant",
        tenant.name,
        *files,
        "--time-zone",
        "Europe/Madrid",
        "--start",
        "01:30",
        "--minutes",
        "90",
    ]


async def test_a_windows_life(cli: Cli, tenant: Tenant, given: list[str]) -> None:
    owner = ["--tenant", tenant.name]
    none = await cli("windows", "list", *owner)
    created = await cli("windows", "create", "night", *given, "--day", "sunday", "--json")
    again = await cli("windows", "create", "night", *given)
    replaced = await cli("windows", "create", "night", *given, "--replace", "--json")
    paused = await cli("windows", "pause", "night", *owner, "--comment", "freeze", "--json")

    async def is_listed() -> bool:
        return "night" in (await cli("windows", "list", *owner, "--json")).output

    await eventually(is_listed)
    listed = await cli("windows", "list", *owner)
    resumed = await cli("windows", "resume", "night", *owner, "--json")
    deleted = await cli("windows", "delete", "night", *owner)
    missing = await cli("windows", "pause", "night", *owner)

    assert (none.code, none.output) == (0, "none\n")
    assert (created.code, created.json["days"], created.json["routers"]) == (0, ["sunday"], 2)
    assert len(created.json["next_starts"]) > 1
    assert (again.code, again.errors.count("\n")) == (2, 1)
    assert (replaced.code, len(replaced.json["days"])) == (0, 7)
    assert (paused.json["is_paused"], paused.json["note"].endswith(": freeze")) == (True, True)
    assert all(word in listed.output for word in ("night", "01:30 Europe/Madrid for 90 min", "freeze", "C-1"))
    assert resumed.json["is_paused"] is False
    assert (deleted.code, deleted.output) == (0, "window night: deleted\n")
    assert (missing.code, missing.errors) == (
        2,
        f"window night: tenant {tenant.name} has none of that name\n",
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--start", "25:00"], "window night: start: '25:00' must be HH:MM, for example 01:30"),
        (["--day", "someday"], "--day: 'someday' is none of sunday, monday"),
        (["--minutes", "0"], "window night: duration_minutes: 0 must be from 1 to 1440"),
        (["--time-zone", "Europe/Nowhere"], "window night: "),
        (["--var", "name"], "--var: 'name' must be NAME=VALUE"),
    ],
)
async def test_bad_window_is_one_line(cli: Cli, given: list[str], more: list[str], message: str) -> None:
    answer = await cli("windows", "create", "night", *given, *more)

    assert (answer.code, answer.output, answer.errors.count("\n")) == (2, "", 1)
    assert answer.errors.startswith(message)
