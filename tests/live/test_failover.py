"""Zones and servers die for real while deployments run; every deployment ends, and is applied exactly once."""

import asyncio
import time

import pytest

from tests.live.conftest import lab, wait_until
from tests.live.support import Connected, kill_container, pods, report, routers_url, wait_all_ready
from worker.models.deployment import Phase

pytestmark = pytest.mark.failover

DEPLOYMENTS = 36
OPEN_MIN = 30
LATENCY_SECONDS = 6.0
"""Per call to a router; with six calls a deployment stays open longer than it takes to cut the power."""
COMPLETE_SECONDS = 540
"""Far above what it takes, and below the time after which the zone comes back by itself: not a gate, a stop."""
READY_SECONDS = 420


@pytest.fixture
def balancers(kubectl, outputs, zone_of_node) -> dict[str, str]:
    """Address of the load balancer's pod in each zone."""
    component = outputs["components"]["temporal-balancer"]
    found = pods(kubectl, outputs["kubernetes_namespace"], component["selector"])
    return {zone_of_node[p["spec"]["nodeName"]]: f"{p['status']['podIP']}:7233" for p in found}


@pytest.fixture
def connected(kubectl, outputs, balancers, keyring_file):
    """Connects a fleet through the load balancer of one zone."""
    wait_all_ready(kubectl, READY_SECONDS)
    namespace = outputs["kubernetes_namespace"]
    return lambda zone: Connected(balancers[zone], keyring_file, routers_url(kubectl, namespace))


def primary_zone(kubectl, outputs, zone_of_node) -> str:
    selector = "cnpg.io/instanceRole=primary"
    (primary,) = pods(kubectl, outputs["kubernetes_namespace"], selector)
    return zone_of_node[primary["spec"]["nodeName"]]


def power_off_and_on(kubectl, outputs, zone_of_node, connected, capsys, zone: str) -> None:
    holds_primary = primary_zone(kubectl, outputs, zone_of_node) == zone
    survivor = next(z for z in outputs["zones"] if z != zone)

    async def scenario() -> tuple[int, list[Phase], list[int], float]:
        async with connected(survivor) as fleet:
            await fleet.start(outputs["tenants"], DEPLOYMENTS, LATENCY_SECONDS)
            open_now = await fleet.open_count()
            await asyncio.to_thread(lab, "power-off", zone, "--for", "600")
            start = time.monotonic()
            phases = await asyncio.wait_for(fleet.phases(), COMPLETE_SECONDS)
            return open_now, phases, await fleet.applied(), time.monotonic() - start

    try:
        open_now, phases, applied, seconds = asyncio.run(scenario())
    finally:
        lab("power-on", zone)
    ready_seconds = wait_all_ready(kubectl, READY_SECONDS)

    report(
        capsys, f"power-off-{zone}", held_primary=holds_primary, open_at_power_off=open_now, completed=len(phases),
        applied_once=applied.count(1), seconds_to_complete=round(seconds, 1), seconds_to_ready=round(ready_seconds, 1),
    )  # fmt: skip
    assert open_now >= OPEN_MIN
    assert phases == [Phase.DEPLOYED] * DEPLOYMENTS
    assert applied == [1] * DEPLOYMENTS


@pytest.mark.timeout(1200)
def test_the_zone_of_the_postgresql_primary_dies(kubectl, outputs, zone_of_node, connected, capsys):
    zone = primary_zone(kubectl, outputs, zone_of_node)
    power_off_and_on(kubectl, outputs, zone_of_node, connected, capsys, zone)


@pytest.mark.drill
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_zone_dies_in_turn(kubectl, outputs, zone_of_node, connected, capsys, index):
    power_off_and_on(kubectl, outputs, zone_of_node, connected, capsys, outputs["zones"][index])


@pytest.mark.parametrize("service", ["frontend", "history", "matching", "worker"])
def test_a_killed_server_loses_no_deployment(kubectl, outputs, connected, capsys, service):
    namespace, selector = (
        outputs["kubernetes_namespace"],
        outputs["components"][f"temporal-{service}"]["selector"],
    )
    victim = pods(kubectl, namespace, selector)[0]

    def restarts() -> int:
        found = [
            p for p in pods(kubectl, namespace, selector) if p["metadata"]["uid"] == victim["metadata"]["uid"]
        ]
        return found[0]["status"]["containerStatuses"][0]["restartCount"] if found else 10**6

    before = restarts()

    async def scenario() -> tuple[int, list[Phase], list[int], float]:
        async with connected(outputs["zones"][0]) as fleet:
            await fleet.start(outputs["tenants"], 12, 1.0)
            open_now = await fleet.open_count()
            await asyncio.to_thread(kill_container, victim, "temporal-server")
            start = time.monotonic()
            phases = await asyncio.wait_for(fleet.phases(), COMPLETE_SECONDS)
            return open_now, phases, await fleet.applied(), time.monotonic() - start

    open_now, phases, applied, seconds = asyncio.run(scenario())
    wait_until(lambda: restarts() > before, f"{service} is seen to have been killed")

    report(capsys, f"kill-{service}", open_at_kill=open_now, completed=len(phases), seconds=round(seconds, 1))
    assert open_now > 0
    assert phases == [Phase.DEPLOYED] * 12
    assert applied == [1] * 12
