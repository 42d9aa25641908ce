"""`routers list` and `routers watch --tenant`: by search attributes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.worker.cli.support import Answer, Cli
from tests.worker.support import Bench, eventually
from worker.cli.listing import Filter, parse_age
from worker.errors import UsageError
from worker.models.deployment import ApprovalPolicy
from worker.starting.starter import result_of

TYPES = "WorkflowType IN ('RouterDeployment', 'FleetRollout')"


def test_query_names_what_was_asked_for() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)

    assert Filter().query() == TYPES
    assert Filter("chogar", "deployed", "C 1", "r1", "madrid", False, since).query() == (
        f"{TYPES} AND Tenant = 'chogar' AND Phase = 'deployed' AND ChangeId = 'C 1' AND Router = 'r1'"
        " AND Site = 'madrid' AND ExecutionStatus != 'Running' AND StartTime >= '2026-01-01T00:00:00+00:00'"
    )


@pytest.mark.parametrize("value", ["a'b", 'a"b', "a\\", "a`"])
def test_query_cannot_be_broken_out_of(value: str) -> None:
    with pytest.raises(UsageError, match=r"must not contain quotes or backslashes$"):
        Filter(change=value).query()


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(7)),
    ],
)
def test_age(text: str, age: timedelta) -> None:
    assert parse_age("--since", text) == age


@pytest.mark.parametrize("text", ["", "h", "1", "-1h", "1.5h", "1w", "99999999d"])
def test_bad_age(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--since: '"):
        parse_age("--since", text)


async def test_list_filters(cli: Cli, bench: Bench) -> None:
    name = bench.tenant.name
    good, bad, open_ = [await bench.router() for _ in range(3)]
    await result_of((await bench.start(good, change_id="C-1")).handle)
    refused = await bench.start(bad, change_id="C-2", expected_revision="other", site="sevilla")
    await refused.handle.describe()
    await bench.start(open_, change_id="C-1", approval=ApprovalPolicy())

    async def listed(*options: str) -> list[str]:
        answer = await cli("list", "--tenant", name, "--json", *options)
        assert answer.code == 0
        return sorted(row["router"] for row in answer.lines)

    async def are_seen() -> bool:
        return [
            len(await listed("--phase", phase)) for phase in ("deployed", "refused", "awaiting-approval")
        ] == [
            1,
            1,
            1,
        ]

    await eventually(are_seen)
    assert await listed() == sorted([good, bad, open_])
    assert await listed("--change", "C-1") == sorted([good, open_])
    assert await listed("--site", "sevilla") == [bad]
    assert await listed("--router", good, "--closed", "--since", "1h") == [good]
    assert await listed("--open") == [open_]
    assert await listed("--phase", "no-such") == []
    assert name not in (await cli("list", "--site", "nowhere")).output

    limited = await cli("list", "--tenant", name, "--limit", "2", "--json")
    assert (len(limited.lines), limited.errors) == (2, "more than 2; narrow it down or raise --limit\n")
    row = (await cli("list", "--tenant", name, "--router", good, "--json")).json
    assert (row["kind"], row["workflow_id"], row["is_open"], row["phase"], row["namespace"]) == (
        "deployment",
        f"deploy-{name}-{good}",
        False,
        "deployed",
        "production",
    )
    table = await cli("list", "--tenant", name)
    assert all(word in table.output for word in (good, bad, "C-2", "sevilla", "refused", "awaiting-approval"))
    await bench.client.get_workflow_handle(f"deploy-{name}-{open_}").terminate()


async def test_watch_of_a_tenant_ends_with_its_last_deployment(cli: Cli, bench: Bench) -> None:
    name = bench.tenant.name
    router = await bench.router(latency_seconds=0.2)
    await bench.start(router)

    async def is_listed() -> bool:
        return "deploy-" in (await cli("list", "--tenant", name, "--open", "--json")).output

    await eventually(is_listed)
    answer: Answer = await cli("watch", "--tenant", name, "--json")
    idle = await cli("watch", "--tenant", name)

    assert answer.code == 0
    assert (answer.lines[-1]["workflow_id"], answer.lines[-1]["phase"]) == (
        f"deploy-{name}-{router}",
        "deployed",
    )
    assert (idle.code, idle.output) == (0, f"nothing of {name} is open\n")
