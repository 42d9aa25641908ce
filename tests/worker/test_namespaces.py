"""Namespaces: what is planned (pure), and what a dev server has afterwards."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from temporalio.client import Client

from worker.administration.namespaces import (
    Action,
    NamespaceError,
    Observed,
    left_over,
    observe,
    plan,
    reconcile,
)
from worker.administration.reconciliation import Drift
from worker.tenancy import SEARCH_ATTRIBUTES, Namespace

KEYWORD = 2
ALL: dict[str, int] = {name: KEYWORD for name in SEARCH_ATTRIBUTES}  # noqa: C420 - fromkeys narrows the type


@pytest.mark.parametrize(
    ("observed", "drift"),
    [
        (Observed(7, ALL), ()),
        (Observed(7, {**ALL, "Somebodys": 4}), ()),
        (
            None,
            (
                Drift("n", Action.CREATE_NAMESPACE, "retention 7 days"),
                Drift(
                    "n",
                    Action.ADD_SEARCH_ATTRIBUTES,
                    "search attributes missing: Tenant, Router, Site, Phase, ChangeId",
                ),
            ),
        ),
        (Observed(3, ALL), (Drift("n", Action.SET_RETENTION, "retention 3 days, should be 7"),)),
        (
            Observed(7, {"Tenant": KEYWORD, "Router": KEYWORD}),
            (Drift("n", Action.ADD_SEARCH_ATTRIBUTES, "search attributes missing: Site, Phase, ChangeId"),),
        ),
    ],
)
def test_plan(observed: Observed | None, drift: tuple[Drift, ...]) -> None:
    assert plan(Namespace("n", 7), observed) == drift


def test_plan_refuses_what_cannot_be_mended() -> None:
    with pytest.raises(NamespaceError, match="search attribute Phase is INDEXED_VALUE_TYPE_INT, should be"):
        plan(Namespace("n"), Observed(7, {**ALL, "Phase": 3}))


async def test_two_at_once_make_one_namespace(client: Client) -> None:
    wanted = Namespace(f"tenant-n{secrets.token_hex(3)}", 5)

    done = await asyncio.gather(*(reconcile(client, wanted) for _ in range(2)))

    assert {drift.action for drifts in done for drift in drifts} <= {*Action}
    assert await observe(client, wanted.name) == Observed(5, ALL)
    assert await reconcile(client, wanted) == ()
    assert wanted.name in await left_over(client, set())
    assert wanted.name not in await left_over(client, {wanted.name})


async def test_what_is_not_a_tenants_is_not_left_over(client: Client) -> None:
    # The server's own, and the shared one.
    assert {"temporal-system", "default", "production"} & set(await left_over(client, set())) == set()
