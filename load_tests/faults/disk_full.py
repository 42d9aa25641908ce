"""The database's disk full: a file takes all that is left of the volume of PostgreSQL's primary.

PostgreSQL stops then, and by design CloudNativePG does not fail over (its `docs/src/instance_manager.md`): what has to
hold is that nothing is lost, and that service comes back once there is room.
"""

from __future__ import annotations

import time

from load_tests.errors import LoadTestError
from load_tests.faults import commands
from load_tests.faults.fault import Effect, Fault
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import DATABASE_PRIMARY, Target

FILE = "/var/lib/postgresql/data/drill-fill"
"""On the volume, beside the database's own folder (`pgdata`)."""
CONTAINER = "postgres"
SIZE = f'df --output=size -B1 "$(dirname {FILE})"'
SIZE_MAX_BYTES = 20 * 2**30
"""A volume that is only a folder of the node's disk shows the disk's size; filling that would harm others."""
FILL = f'head -c 20G /dev/zero > {FILE} 2>&1; sync; df --output=avail -B1 "$(dirname {FILE})" | tail -n 1'
"""Writes until the volume takes no more, and tells what is left."""
LEFT_BYTES = 16 * 2**20
"""What may be left: a segment of the write-ahead log is 16 MiB, and PostgreSQL stops when it cannot make one."""


class DiskFull(Fault):
    """The volume of PostgreSQL's primary has no room left. Undone by removing the file."""

    name = "disk-full"

    def __init__(self, target: Target, journal: Journal) -> None:
        super().__init__(target, journal)
        self._pod = ""

    def describe(self) -> str:
        """Name the pod once it is known."""
        return f"disk of {self._pod or DATABASE_PRIMARY} full"

    def _prepare(self) -> Undo:
        pods = self._target.pods(DATABASE_PRIMARY)
        if not pods:
            raise LoadTestError("disk full: there is no Ready primary")
        self._pod = pods[0]["metadata"]["name"]
        size = int((commands.run([*self._exec(), "sh", "-c", SIZE])).split()[-1])
        if size > SIZE_MAX_BYTES:
            raise LoadTestError(
                f"disk full: the volume of {self._pod} has {size / 2**30:.0f} GiB, above the {SIZE_MAX_BYTES / 2**30:.0f} "
                "that would be filled: it may be the node's own disk"
            )
        return [[*self._exec(), "rm", "-f", FILE]]

    async def _inject(self) -> Effect:
        left = int((await self._change(*self._exec(), "sh", "-c", FILL)).split()[-1])
        at = time.time()
        if left >= LEFT_BYTES:
            raise LoadTestError(f"{self.describe()}: {left} bytes are still free")
        return Effect(at, f"{left} bytes free on the volume of {self._pod}")

    def _exec(self) -> list[str]:
        return [*self._target.kubectl, "exec", "-n", self._target.namespace, "-c", CONTAINER, self._pod, "--"]
