"""A session without a crew: one generator loop in this process, for measuring the generator itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from load_tests.clients import Clients
from load_tests.clock import Clock
from load_tests.generator.processor import Idleness, mean_idle, watch_processors
from load_tests.records import OperationWriter
from load_tests.scenarios.session import Session
from load_tests.stack import Target

_LEAD_SECONDS = 0.2
_QUIET_MIN = 0.6
"""Of the processors' time, before anything is sent. Temporal's dev server and a worker at rest leave more."""


async def disturbance(seconds: float = 2.0) -> str:
    """Look at the machine at rest; return what is wrong with measuring on it now, empty when nothing is."""
    samples: list[Idleness] = []
    watching = asyncio.create_task(watch_processors(Clock.read(), samples, seconds / 2))
    await asyncio.sleep(seconds + 0.2)
    watching.cancel()
    idle = mean_idle(samples, 0, math.inf) or 0.0
    if idle >= _QUIET_MIN:
        return ""
    return f"the machine was {idle:.0%} idle before anything was sent, at least {_QUIET_MIN:.0%} are needed"


@asynccontextmanager
async def session_alone(target: Target, run: str, seconds: float) -> AsyncIterator[tuple[Session, Path]]:
    """Give a session that begins in a moment, and the folder of its records, which goes with the block.

    Args:
        target: What it is aimed at.
        run: In every workflow id.
        seconds: How long operations are sent.
    """
    with TemporaryDirectory(prefix="routerfleet-load-") as name:
        folder = Path(name)
        with OperationWriter(folder / "operations.jsonl") as writer:
            session = Session(
                target=target,
                clients=await Clients.connect(target),
                clock=Clock.read(),
                writer=writer,
                run=run,
                process=0,
                processes=1,
                seed=1,
                seconds=seconds,
                result_seconds=60,
            )
            session.begin = session.clock.now() + _LEAD_SECONDS
            yield session, folder
