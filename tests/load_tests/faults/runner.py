"""A runner to be killed: `python runner.py FOLDER STAGE`. Says when it is at the stage, and stays there.

Its fault is a file that a command makes late and another removes.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from load_tests.faults.fault import Effect, Fault
from load_tests.faults.guard import guarding
from load_tests.faults.target import Target

LATE_SECONDS = 0.6


class Allowed(Target):
    def check_permission(self):
        return


class LateFile(Fault):
    name = "late-file"

    def __init__(self, target, journal, stage):
        super().__init__(target, journal)
        self.file, self.stage = journal.folder / "fault", stage

    def describe(self):
        return "file made"

    def _prepare(self):
        slow = 0.6 if self.stage == "healing" else 0.0
        return [["sh", "-c", f"sleep {slow}; rm -f {self.file}"]]

    async def _inject(self):
        if self.stage == "intended":
            stay(self.stage)
        if self.stage == "injecting":
            asyncio.get_running_loop().call_later(LATE_SECONDS / 2, stay, self.stage)
        await self._change("sh", "-c", f"sleep {LATE_SECONDS}; touch {self.file}")
        return Effect(time.time(), "it is there")


def stay(stage: str) -> None:
    print(stage, flush=True)
    time.sleep(60)


def outlive() -> None:
    """Hold the guard's pipe for longer than the runner lives."""
    time.sleep(5)
    os._exit(0)


async def run(folder: Path, stage: str) -> None:
    with guarding(folder) as journal:
        if stage == "forked" and os.fork() == 0:
            outlive()
        if stage == "guarded":
            stay(stage)
        async with LateFile(Allowed("none", {}, []), journal, stage):
            if stage in ("in effect", "forked"):
                stay(stage)
            if stage == "healing":
                asyncio.get_running_loop().call_later(0.3, stay, stage)
        if stage == "healed":
            stay(stage)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
