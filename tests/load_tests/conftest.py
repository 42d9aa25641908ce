"""One dev server with workers for all runs of the tests; it costs some seconds to start."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from load_tests.stack import DEV, Target, aimed_at


@pytest.fixture(scope="session")
def dev_target() -> Iterator[Target]:
    """A target on this machine, kept by a loop of its own: each test has another."""
    ready, done = threading.Event(), threading.Event()
    found: list[Target] = []

    async def keep() -> None:
        async with aimed_at(DEV) as target:
            found.append(target)
            ready.set()
            await asyncio.to_thread(done.wait)

    def run() -> None:
        try:
            asyncio.run(keep())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        done.set()
        thread.join()
