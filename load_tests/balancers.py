"""Where each zone's load balancer is, and where it moves to: what probes follow, as the cluster's own clients do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from load_tests.stack import BALANCER_PORT, Target

_AGAIN_SECONDS = 1.0
"""Until a watch that ended is begun anew: the API server ends each now and then, or may be what a drill stopped."""
_COLUMNS = "{range .endpoints[*]}{.zone},{.conditions.ready},{.addresses[0]};{end}"


async def moves(target: Target) -> AsyncIterator[Mapping[str, str]]:
    """Give host and port of each zone's load balancer, by zone, now and at each change, until closed.

    A zone whose load balancer is not ready is left out: probes stay with the address that they have, which is what
    shows that the zone is out. Nothing is given where there is no cluster.
    """
    if not target.balancer_service:
        return
    while True:
        async for line in _watch(target):
            yield ready_addresses(line)
        await asyncio.sleep(_AGAIN_SECONDS)


def ready_addresses(line: str) -> dict[str, str]:
    """Return the ready endpoints of a line `ZONE,READY,ADDRESS;...`, by zone; of two in a zone the last. Pure."""
    found: dict[str, str] = {}
    for endpoint in filter(None, line.strip().split(";")):
        zone, is_ready, address = endpoint.split(",")
        if zone and is_ready == "true":
            found[zone] = f"{address}:{BALANCER_PORT}"
    return found


async def _watch(target: Target) -> AsyncIterator[str]:
    """Give the endpoints of the address where the teams connect, a line at each change, until the watch ends."""
    process = await asyncio.create_subprocess_exec(
        "kubectl", "get", "endpointslices", "--watch", "--namespace", target.kubernetes_namespace,
        "--selector", f"kubernetes.io/service-name={target.balancer_service}", "--output", f'jsonpath={_COLUMNS}{{"\\n"}}',
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101  asked for as a pipe above
    try:
        while line := await process.stdout.readline():
            yield line.decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
