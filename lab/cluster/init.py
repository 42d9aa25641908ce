"""The first process of a lab machine: prepares its mounts, runs its services, restarts what dies.

Runs as PID 1 of a pid namespace, so killing it powers the machine off: the kernel ends every process
in the namespace with it. Standard library only, and run as a file, so that it starts in milliseconds.

The specification is a JSON file:
    hostname: str
    directories: [path]            made if missing
    binds: {target: source}        bind mounts private to this machine
    tmpfs: [path]                  empty memory file systems private to this machine
    services: [{name, argv, ready}]  started in order; the next one waits until `ready` (argv or null) exits 0
    logs: path                     folder of one log file per service
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESTART_SECONDS = 1.0
READY_POLL_SECONDS = 0.1
SIGNALS = {signal.SIGCHLD, signal.SIGTERM}


@dataclass
class Service:
    """A service of the machine and the process that runs it now (None while it waits for its restart)."""

    name: str
    argv: list[str]
    ready: list[str] | None
    process: subprocess.Popen[bytes] | None = None
    restart_at: float = 0.0


def prepare(spec: dict[str, Any]) -> None:
    """Give the machine mounts of its own: /proc of its pid namespace, and private folders."""
    mount("--make-rprivate", "/")
    mount("-t", "proc", "proc", "/proc")
    for directory in (*spec["directories"], *spec["binds"], *spec["binds"].values(), *spec["tmpfs"]):
        Path(directory).mkdir(parents=True, exist_ok=True)
    for target, source in spec["binds"].items():
        mount("--bind", source, target)
    for target in spec["tmpfs"]:
        mount("-t", "tmpfs", "tmpfs", target)
    # Kubelet and container runtime pass mounts on to their containers.
    mount("--make-rshared", "/")
    subprocess.run(["hostname", spec["hostname"]], check=True)


def mount(*arguments: str) -> None:
    """Run the mount command."""
    subprocess.run(["mount", *arguments], check=True)


def start(service: Service, logs: Path) -> None:
    """Start the service's process with its output appended to its log."""
    with (logs / f"{service.name}.log").open("ab") as log:
        service.process = subprocess.Popen(
            service.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Runs in the forked child before exec: it must not inherit the signals that this process blocks.
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS),
        )


def reap(services: list[Service]) -> None:
    """Collect every ended child, orphans included, and note which services must start again."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for service in services:
            if service.process is not None and service.process.pid == pid:
                print(
                    f"{service.name} ended with {os.waitstatus_to_exitcode(status)}; restarting", flush=True
                )
                service.process.returncode = status
                service.process, service.restart_at = None, time.monotonic() + RESTART_SECONDS


def is_ready(service: Service) -> bool:
    """Ask the service's readiness command; a service without one is ready once started."""
    if service.ready is None:
        return True
    probe = subprocess.Popen(
        service.ready, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return probe.wait() == 0


def run(services: list[Service], logs: Path) -> None:
    """Start services in order and keep them running until SIGTERM."""
    pending = list(services)
    waiting: Service | None = None
    while True:
        if waiting is not None and waiting.process is not None and is_ready(waiting):
            waiting = None
        while waiting is None and pending:
            service = pending.pop(0)
            start(service, logs)
            waiting = service if service.ready else None
        received = signal.sigtimedwait(SIGNALS, READY_POLL_SECONDS if waiting else RESTART_SECONDS)
        if received is not None and received.si_signo == signal.SIGTERM:
            return
        reap(services)
        for service in services:
            if service.process is None and service.restart_at and time.monotonic() >= service.restart_at:
                start(service, logs)


def main() -> None:
    """Boot the machine that the specification file describes."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    prepare(spec)
    logs = Path(spec["logs"])
    logs.mkdir(parents=True, exist_ok=True)
    run([Service(s["name"], s["argv"], s.get("ready")) for s in spec["services"]], logs)


if __name__ == "__main__":
    main()
