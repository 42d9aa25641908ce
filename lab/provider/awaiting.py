"""Waiting: until an object is ready, until it is gone. Decisions are made in `readiness`, words in `explain`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.provider import explain, objects
from lab.provider.api import Api
from lab.provider.errors import InitFailedError, NotReadyError, PluginError
from lab.provider.readiness import Failed, Readiness, Ready, Waiting, query, readiness
from lab.provider.values import Object, at, text

DEFAULT_SECONDS = 600.0
"""How long pulumi-kubernetes waits where nothing is said."""
QUIET_SECONDS = 1.0
"""Waits shorter than this are not worth a line of progress."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.1, 1.5, 1.5
"""Polling: quick at first, since most objects are ready at once, then gentle on the API server."""

Say = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Patience:
    """How long one operation may wait, and what ends the wait."""

    limit_seconds: float
    cancelled: asyncio.Event
    say: Say
    """Shows a line of progress beside the resource."""


def limit_seconds(timeout_seconds: float, obj: Object) -> float:
    """Return how long to wait: the resource's customTimeouts, else its annotation, else the default."""
    return timeout_seconds or float(objects.annotation(obj, objects.TIMEOUT_SECONDS) or DEFAULT_SECONDS)


class Clock:
    """Time spent waiting, in growing steps that a cancel cuts short."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._start = time.monotonic()
        self._end = self._start + patience.limit_seconds
        self._said = ""
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def over(self) -> str:
        """Why the wait is over, empty while it is not."""
        if self._patience.cancelled.is_set():
            return "cancelled while waiting"
        return "" if time.monotonic() < self._end else f"timed out after {self._patience.limit_seconds:g} s"

    async def tick(self, progress: str) -> None:
        """Sleep one step, and say what is waited for when that has changed."""
        if progress != self._said and time.monotonic() - self._start > QUIET_SECONDS:
            self._said = progress
            await self._patience.say(progress)
        try:
            await asyncio.wait_for(
                self._patience.cancelled.wait(), min(self._pause, max(0.05, self._end - time.monotonic()))
            )
        except TimeoutError:
            self._pause = min(self._pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)


async def judge(api: Api, live: Object) -> Readiness:
    """Return whether a live object is ready, fetching what its rule needs."""
    wanted = query(live)
    return readiness(live, await api.fetch(wanted) if wanted else ())


async def until_ready(api: Api, path: str, inputs: Object, live: Object, patience: Patience) -> Object:
    """Wait until an applied object is ready and return it as it is then.

    Whatever goes wrong from here on, the object exists: failures carry it, so that Pulumi records it.

    Raises:
        InitFailedError: it is not ready, with the reasons.
        NotReadyError: it was deleted meanwhile.
    """
    clock = Clock(patience)
    while True:
        verdict = await judge_calmly(api, live)
        if isinstance(verdict, Ready):
            return live
        over = "failed" if isinstance(verdict, Failed) else clock.over
        if over:
            reasons = [
                f"{objects.label(live)} is not ready: {over}: {verdict.reason}",
                *await explanation(api, live),
            ]
            raise InitFailedError(objects.object_id(live), inputs, live, reasons)
        await clock.tick(f"waiting: {verdict.reason}")
        live = await look_again(api, path, live)


async def judge_calmly(api: Api, live: Object) -> Readiness:
    """Judge, taking an API server that does not answer as one more reason to wait."""
    try:
        return await judge(api, live)
    except PluginError as error:
        return Waiting(str(error))


async def look_again(api: Api, path: str, live: Object) -> Object:
    """Return the object as it is now, or as it was while the API server does not answer.

    Raises:
        NotReadyError: it is gone, or another one has taken its name.
    """
    try:
        found = await api.get(path)
    except PluginError:
        return live
    if found is None or text(found, "metadata", "uid") != text(live, "metadata", "uid"):
        raise NotReadyError(f"{objects.label(live)} was deleted by someone else while waiting for it")
    return found


async def explanation(api: Api, live: Object) -> list[str]:
    """Return why an object is not ready, as far as the API server can be asked."""
    try:
        selector = explain.selector(live)
        pods = await api.pods(text(live, "metadata", "namespace"), selector) if selector else []
        return explain.lines(live, pods, await api.events(live))
    except PluginError:
        return []


async def until_gone(api: Api, path: str, uid: str, patience: Patience) -> None:
    """Wait until an object is gone.

    Args:
        api: the API server.
        path: where the object is.
        uid: the object; another one of the same name does not count. Empty: whatever has the name.
        patience: how long, and what ends the wait.

    Raises:
        NotReadyError: it is still there; names the finalizers that hold it.
    """
    clock = Clock(patience)
    while (live := await api.get(path)) is not None and (not uid or text(live, "metadata", "uid") == uid):
        holders = finalizers(live)
        if clock.over:
            reasons = explain.namespace_lines(live)
            raise NotReadyError(
                "; ".join([f"{objects.label(live)} is not deleted: {clock.over}; {holders}", *reasons])
            )
        await clock.tick(f"waiting to be gone: {holders}")


def finalizers(live: Object) -> str:
    """Return what holds an object that is being deleted."""
    found = [str(name) for key in ("metadata", "spec") for name in as_list(at(live, key, "finalizers"))]
    return f"finalizers: {', '.join(found)}" if found else "no finalizers"


def as_list(value: object) -> list[object]:
    """Return a list as it is, and anything else as an empty one."""
    return list(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] -- JSON members
