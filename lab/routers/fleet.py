"""Up, down and status of the routers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from lab import toolchain
from lab.cluster import machine
from lab.errors import LabError
from lab.progress import Steps
from lab.routers import access, files, network
from lab.routers.layout import PROVIDER, Router, customers
from lab.routers.state import State

TOOLS = ("frr", "openssh-server")
READY_SECONDS = 60.0
"""Seven routers boot in a few seconds on an idle machine; on two busy cores it has taken half a minute."""
_NAMES_NOTE = "made-netns-folder"


def up(state: State, count: int, steps: Steps) -> None:
    """Bring the routers up, or repair them: what runs is left alone, what is missing is started.

    Args:
        state: Where their state is.
        count: How many customers' routers, besides the provider edge; others go.
        steps: Where progress is shown.

    Raises:
        LabError: Something that the user can mend is in the way.
    """
    network.check_free()
    toolchain.ensure(TOOLS)
    state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not network.is_mounted():
        (state.root / _NAMES_NOTE).touch()
    routers = (PROVIDER, *customers(count))
    state.remember(count)
    with steps(f"{len(routers)} routers"):
        network.ensure_core()
        _remove_others(state, routers)
        login = access.ensure_login(state)
        for router in routers:
            _switch_on(state, router, login)
        access.write(state, routers[1:])
        _wait_ready(state, routers)
    if network.join_cluster():
        steps.note("the cluster's machines and pods reach the routers")


def _switch_on(state: State, router: Router, login: str) -> None:
    folder = state.folder(router)
    if not network.has_namespace(router):
        machine.kill(folder)  # what runs lives in a namespace that nobody reaches any more
    network.attach(router, files.provider_addresses() if router == PROVIDER else ())
    files.write(router, folder, "" if router == PROVIDER else login)
    if not machine.is_running(folder):
        files.clear(folder)
    machine.start(router.name, router, files.boot(router, folder), folder)


def _remove_others(state: State, routers: Sequence[Router]) -> None:
    kept = {router.name for router in routers}
    for folder in state.folders():
        if folder.name not in kept:
            machine.kill(folder)
            shutil.rmtree(folder)
    for router in customers(len(list(network.NAMESPACES.glob(f"{PROVIDER.netns[:3]}*")))):
        if router.name not in kept:
            network.detach(router)


def _wait_ready(state: State, routers: Sequence[Router]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for router in routers:
        while missing := _missing(state, router):
            if not machine.is_running(state.folder(router)) or time.monotonic() > deadline:
                raise LabError(
                    f"router {router.name}: {missing} not up within {READY_SECONDS:.0f} s;"
                    f" see {state.folder(router) / 'console.log'} and logs beside it"
                )
            time.sleep(0.1)


def _missing(state: State, router: Router) -> str:
    """Return what of a router is not up yet; empty when all is."""
    if router != PROVIDER and not network.is_listening(router.netns, files.SSH_PORT):
        return "SSH server"
    try:
        running = ask(state, router, "show running-config")
    except LabError:
        return "FRR"
    # FRR answers a moment before it has read its start-up configuration.
    return "" if f"hostname {router.name}\n" in running else "configuration"


def down(state: State, steps: Steps) -> None:
    """Remove the routers and all they left on the host; does nothing where there are none.

    Raises:
        LabError: Something would not go.
    """
    with steps("routers"):
        for folder in state.folders():
            machine.kill(folder)
        if network.NAMESPACES.is_dir():
            network.remove_all()
        is_ours = (state.root / _NAMES_NOTE).exists()
        if is_ours and network.is_mounted() and not any(network.NAMESPACES.iterdir()):
            subprocess.run(["umount", str(network.NAMESPACES)], check=True)
            os.rmdir(network.NAMESPACES)  # noqa: PTH106  only where empty
        if state.root.exists():
            shutil.rmtree(state.root)


def status(state: State) -> dict[str, Any]:
    """Return what runs, with the provider's view of each session and the routes in each router's kernel."""
    wanted = state.wanted()
    sessions = _sessions(state) if wanted else {}
    rows = [
        {
            "name": router.name,
            "tenant": router.tenant,
            "address": router.address,
            "power": "on" if machine.is_running(state.folder(router)) else "off",
            "ready": not _missing(state, router),
            "session": sessions.get(router.address, "none"),
            "routes": network.kernel_routes(router),
        }
        for router in wanted[1:]
    ]
    provider = bool(wanted) and not _missing(state, PROVIDER)
    return {
        "is_up": provider and all(row["ready"] for row in rows),
        "provider": {
            "address": PROVIDER.address,
            "asn": PROVIDER.asn,
            "ready": provider,
            "routes": network.kernel_routes(PROVIDER),
        },
        "routers": rows,
        "inventory": str(state.inventory),
        "credentials": str(state.credentials),
    }


def _sessions(state: State) -> dict[str, str]:
    """Return the state of each BGP session by the neighbour's address, as the provider edge sees it."""
    try:
        summary = json.loads(ask(state, PROVIDER, "show bgp ipv4 unicast summary json"))
    except (LabError, json.JSONDecodeError):
        return {}
    return {address: peer["state"] for address, peer in summary.get("peers", {}).items()}


def ask(state: State, router: Router, *commands: str) -> str:
    """Return what the router's own shell answers to commands.

    Raises:
        LabError: It does not run, or FRR does not answer.
    """
    pid = machine.inner_pid(state.folder(router))
    if pid is None:
        raise LabError(f"router {router.name} does not run")
    enter = ["nsenter", f"--target={pid}", "--net", "--mount", "--uts", "--pid"]
    done = subprocess.run(
        [*enter, "vtysh", *(word for one in commands for word in ("-c", one))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"router {router.name}: {commands[-1]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
