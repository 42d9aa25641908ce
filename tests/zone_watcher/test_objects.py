from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.zone_watcher.support import BALANCERS, CLUSTER, INSTANCES, SOURCES, WATCHERS, endpoint_slice
from zone_watcher import objects
from zone_watcher.model import Database, Instance, Pod, Sites, Witness

NOW = datetime(2026, 11, 24, 4, 0, 0, tzinfo=UTC)
ZONES = ("zone-a", "zone-b", "zone-c")


def test_sites_are_what_the_endpoints_say() -> None:
    found = objects.sites([WATCHERS, INSTANCES, BALANCERS], SOURCES, ZONES, "10.0.0.2")

    assert found == Sites(
        witnesses=(
            Witness("database", "zone-a", "10.0.0.3", 5432),
            Witness("database", "zone-b", "10.0.1.3", 5432),
            Witness("database", "zone-c", "10.0.2.3", 5432),
            Witness("balancer", "zone-c", "10.0.2.4", 8404),
        ),
        peers=(
            Witness("watcher", "zone-b", "10.0.1.2", 8082),
            Witness("watcher", "zone-c", "10.0.2.2", 8082),
        ),
        instances=(
            Instance("postgres-1", "zone-a", "node-a", is_ready=True),
            Instance("postgres-2", "zone-b", "node-b", is_ready=True),
            Instance("postgres-3", "zone-c", "node-c", is_ready=False),
        ),
        nodes={
            "zone-a": frozenset({"node-a"}),
            "zone-b": frozenset({"node-b"}),
            "zone-c": frozenset({"node-c"}),
        },
        own_zone="zone-a",
    )


def test_endpoints_of_other_services_and_zones_and_without_a_zone_are_left_out() -> None:
    foreign = endpoint_slice("temporal-ui", ("ui-1", "10.0.0.9", "zone-a", True))
    elsewhere = endpoint_slice("postgres-r", ("postgres-4", "10.0.9.3", "zone-x", True))
    nowhere = copy.deepcopy(INSTANCES)
    for endpoint in nowhere["endpoints"]:
        del endpoint["zone"]

    assert objects.sites([foreign, elsewhere, nowhere], SOURCES, ZONES, "10.0.0.2") == Sites()


def test_an_endpoint_of_unknown_readiness_is_not_ready() -> None:
    unknown = copy.deepcopy(INSTANCES)
    for endpoint in unknown["endpoints"]:
        endpoint["conditions"] = {}

    found = objects.sites([unknown], SOURCES, ZONES, "10.0.0.2")

    assert [instance.is_ready for instance in found.instances] == [False, False, False]


def cluster(**synchronous: Any) -> dict[str, Any]:
    changed = copy.deepcopy(CLUSTER)
    changed["spec"]["postgresql"]["synchronous"].update(synchronous)
    return changed


def test_a_database_is_what_its_custom_resource_says() -> None:
    assert objects.database(CLUSTER, NOW) == Database(
        primary="postgres-3",
        target="postgres-3",
        durability="required",
        acknowledging=1,
        standbys=2,
        is_managed=True,
        seconds_since_promotion=3600.0,
    )


def test_required_is_what_a_synchronous_database_is_by_default() -> None:
    changed = cluster()
    del changed["spec"]["postgresql"]["synchronous"]["dataDurability"]

    assert objects.database(changed, NOW).durability == "required"
    assert objects.database(cluster(dataDurability="preferred"), NOW).durability == "preferred"


def test_without_synchronous_replication_there_is_no_durability() -> None:
    changed = copy.deepcopy(CLUSTER)
    del changed["spec"]["postgresql"]

    found = objects.database(changed, NOW)

    assert (found.durability, found.acknowledging) == (None, 0)


def test_standbys_elsewhere_may_be_the_ones_that_have_a_commit() -> None:
    assert objects.database(cluster(standbyNamesPre=["far"], standbyNamesPost=["away"]), NOW).standbys == 4


@pytest.mark.parametrize(
    "annotations",
    [
        {"cnpg.io/reconciliationLoop": "disabled"},
        {"cnpg.io/hibernation": "on"},
        {"cnpg.io/fencedInstances": '["postgres-3"]'},
        {"cnpg.io/fencedInstances": '["*"]'},
    ],
)
def test_a_database_that_the_operator_is_to_leave_alone_is_not_managed(annotations: dict[str, str]) -> None:
    changed = copy.deepcopy(CLUSTER)
    changed["metadata"]["annotations"] = annotations

    assert not objects.database(changed, NOW).is_managed


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-11-24T03:00:00.123456Z", 3599.876544),
        ("2026-11-24T04:00:00+01:00", 3600.0),
        ("2026-11-24T05:00:00Z", 0.0),  # by a clock that is ahead
        ("yesterday", 0.0),  # not understood: nothing is done
        ("2026-11-24T03:00:00", 0.0),  # no time zone: not understood either
        (None, None),
    ],
)
def test_the_last_promotion_is_told_by_the_api_servers_clock(
    stamp: str | None, seconds: float | None
) -> None:
    changed = copy.deepcopy(CLUSTER)
    changed["status"]["currentPrimaryTimestamp"] = stamp

    assert objects.database(changed, NOW).seconds_since_promotion == seconds


def test_an_empty_object_is_a_database_that_nothing_is_done_about() -> None:
    assert objects.database({}, NOW) == Database("", "", None, 0, -1, True, None)


def test_a_pod_is_what_it_says() -> None:
    item = {
        "metadata": {"name": "postgres-3", "uid": "uid-3"},
        "spec": {"nodeName": "node-c"},
        "status": {"phase": "Running"},
    }

    assert objects.pod(item) == Pod("postgres-3", "uid-3", "node-c", is_running=True)
    assert objects.pod(item | {"status": {"phase": "Pending"}}).is_running is False
    assert objects.pod({"metadata": {"name": "p", "uid": "u"}}) == Pod("p", "u", "", is_running=False)


def test_a_lease_tells_when_it_was_renewed() -> None:
    assert objects.renewal({"spec": {"renewTime": "2026-11-24T04:00:00.5Z"}}) == "2026-11-24T04:00:00.5Z"
    assert objects.renewal({}) == ""
