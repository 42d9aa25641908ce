"""One generator process: one event loop that sends its part of the plan.

It talks to the crew in lines of JSON. On standard output: `{"state": "prepared"}`, then how far it is, every half
second, and at the end `{"state": "ended"}`; on standard input the time at which the run begins. Standard input
that ends means that nobody wants it any more: it stops sending, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from load_tests.balancers import moves
from load_tests.clients import Clients
from load_tests.clock import Clock
from load_tests.errors import LoadTestError
from load_tests.generator.assignment import Assignment
from load_tests.generator.dispatch import Dispatcher, tune_garbage_collection
from load_tests.records import OperationWriter
from load_tests.scenarios.catalog import find
from load_tests.scenarios.session import Session

_REPORT_SECONDS = 0.5
_NICENESS = -10


async def serve(file: Path) -> int:
    """Do what an assignment's file says; return the exit code."""
    assignment = Assignment.read(file)
    _go_first()
    channel = Channel()
    with OperationWriter(file.parent / f"operations-{assignment.process}.jsonl") as writer:
        try:
            session = await _session(assignment, writer)
            scenario = find(assignment.scenario)(session, assignment.options)
            await scenario.prepare([item for item in assignment.due if item.zone is None])
        except LoadTestError as error:
            channel.say(state="failed", error=str(error))
            return 1
        dispatcher = Dispatcher(session, scenario, assignment.cap)
        tune_garbage_collection()
        lines = await _standard_input()
        channel.say(state="prepared")
        begin = await lines.readline()
        if not begin:
            return 0
        session.begin = float(begin)
        _keep_time()
        await _run(dispatcher, session, assignment, lines, channel)
        channel.say(
            state="ended", **_figures(session, dispatcher), schedule=session.counts.schedule_errors.encode()
        )
    return 0


def _go_first() -> None:
    """Have the kernel run the generator before what it measures, where it may.

    On a machine that carries the system as well, its turn would otherwise come late just when much is to be seen. It
    uses some hundredths of a processor. Without the permission the self-check tells whether it was late.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def _keep_time() -> None:
    """Have the thread that sends run whenever something is due: before every ordinary thread of the machine.

    Only this thread: what it starts from now on is ordinary again. Without the permission nothing changes.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


async def _session(assignment: Assignment, writer: OperationWriter) -> Session:
    return Session(
        target=assignment.target,
        clients=await Clients.connect(assignment.target),
        clock=Clock(assignment.epoch),
        writer=writer,
        run=assignment.run,
        process=assignment.process,
        processes=assignment.processes,
        seed=assignment.seed,
        seconds=assignment.seconds,
        result_seconds=assignment.result_seconds,
    )


async def _run(
    dispatcher: Dispatcher,
    session: Session,
    assignment: Assignment,
    lines: asyncio.StreamReader,
    channel: Channel,
) -> None:
    """Send everything and wait for it; or stop early, when standard input ends."""
    reporting = asyncio.create_task(_report(session, dispatcher, channel))
    following = asyncio.create_task(_follow(session))
    sending = asyncio.create_task(dispatcher.send(assignment.due))
    stopped = asyncio.create_task(lines.read())
    await asyncio.wait((sending, stopped), return_when=asyncio.FIRST_COMPLETED)
    if sending.done():
        waiting = asyncio.create_task(_wait(dispatcher))
        await asyncio.wait((waiting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await dispatcher.cancel()
        elif error := waiting.exception():
            dispatcher.problems.append(repr(error))
    else:
        sending.cancel()
        await dispatcher.cancel()
    stopped.cancel()
    reporting.cancel()
    following.cancel()


async def _follow(session: Session) -> None:
    """Keep the probes at their zones' load balancers, wherever those move."""
    async for addresses in moves(session.target):
        await session.follow(addresses)


async def _wait(dispatcher: Dispatcher) -> None:
    """Wait for the last operation's end, then for what the scenario ends itself."""
    await dispatcher.wait()
    await dispatcher.finish()


async def _report(session: Session, dispatcher: Dispatcher, channel: Channel) -> None:
    while True:
        await asyncio.sleep(_REPORT_SECONDS)
        channel.say(state="running", **_figures(session, dispatcher))


def _figures(session: Session, dispatcher: Dispatcher) -> dict[str, Any]:
    counts = session.counts
    return {
        "outcomes": {f"{kind} {outcome}": count for (kind, outcome), count in counts.by_outcome.items()},
        "under_way": counts.under_way,
        "dispatched": dispatcher.dispatched,
        "processor_seconds": round(time.process_time() - dispatcher.processor_begin, 3),
        "problems": dispatcher.problems[:3],
    }


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


class Channel:
    """What the crew reads: lines of JSON, and nothing else."""

    def __init__(self) -> None:
        """Take standard output for this alone.

        What else is written there, such as the SDK's own log of a server that does not answer, goes to standard
        error from now on.
        """
        self._file = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(self, **values: object) -> None:
        """Write one line."""
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()
