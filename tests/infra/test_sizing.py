"""Arithmetic on settings."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sizing import Connections, connections, go_memory_limit, problems, quantity_bytes
from tests.infra.support import external, settings


def postgres(**values: Any) -> Any:
    return lambda tree: tree["persistence"]["postgres"].update(values)


def test_connections_count_the_extra_pod_of_every_rollout() -> None:
    # (3+1) frontend, history, matching and (2+1) worker pods, 20 + 10 each; 4 poolers of 2 databases of 20.
    assert connections(settings()) == Connections(clients=15 * 30, servers=4 * 2 * 20)


def test_external_stores_have_no_pooler_of_ours() -> None:
    assert connections(settings(external)) == Connections(clients=450, servers=0)
    assert problems(settings(external)) == []


def test_defaults_fit_each_other() -> None:
    assert problems(settings()) == []


def test_a_pool_that_postgres_cannot_serve_is_refused() -> None:
    assert problems(settings(postgres(max_connections=179))) == [
        (
            "persistence.postgres.max_connections: 179 is too few: the poolers open up to 160 and 20 are kept free: "
            "at least 180"
        )
    ]


def test_a_pooler_that_cannot_stand_in_for_the_other_is_refused() -> None:
    assert problems(settings(postgres(pooler={"max_client_connections": 449}))) == [
        (
            "persistence.postgres.pooler.max_client_connections: 449 is too few: "
            "one pooler alone must hold all 450 connections of Temporal"
        )
    ]


@pytest.mark.parametrize(
    ("quantity", "found"),
    [("512Mi", 512 * 2**20), ("1Gi", 2**30), ("1.5Gi", 3 * 2**29), ("2G", 2 * 10**9), ("100", 100)],
)
def test_a_quantity_in_bytes(quantity: str, found: int) -> None:
    assert quantity_bytes(quantity) == found


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="'much' is no memory quantity: a number and Ki, Mi, Gi or Ti"):
        quantity_bytes("much")


def test_go_aims_below_the_containers_limit() -> None:
    assert go_memory_limit("1Gi") == "921MiB"
