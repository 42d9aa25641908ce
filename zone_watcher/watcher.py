"""The watcher as a whole: one thread looks each second, another decides each second, a third answers."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from zone_watcher import views
from zone_watcher.acting import Actor
from zone_watcher.api import Api
from zone_watcher.cluster import Cluster
from zone_watcher.decision import Limits
from zone_watcher.lookout import Lookout
from zone_watcher.metrics import Metrics
from zone_watcher.probing import VIEW_PATH
from zone_watcher.server import Page, Server
from zone_watcher.settings import Settings

ROUND_SECONDS = 1.0
"""From one round to the next; a decision follows each."""
STUCK_SECONDS = 15.0
"""A watcher whose last round is older is not alive; longer than any starved machine was seen to stand still."""
_ASKING = 16
"""Witnesses asked at the same time: each holds a thread for at most `probing.TIMEOUT_SECONDS`."""

_log = logging.getLogger(__name__)


class Watcher:
    """One replica."""

    def __init__(self, settings: Settings) -> None:
        """Listen, so that a taken port is known at once; nothing is asked yet."""
        self._settings = settings
        self._stop = threading.Event()
        self._has_looked = threading.Event()
        self._is_sound = False
        self._metrics = Metrics()
        self._pool = ThreadPoolExecutor(_ASKING, thread_name_prefix="ask")
        self._lookout = Lookout(self._pool)
        self._actor = Actor(
            Cluster(
                api=Api(settings.api_host, settings.api_port, settings.account),
                namespace=settings.namespace,
                zones=settings.zones,
                sources=settings.witnesses,
                database_name=settings.database,
                own_address=settings.pod_ip,
            ),
            self._lookout,
            Limits(settings.dead_after_seconds, settings.cool_down_seconds),
            self._metrics,
        )
        self._server = Server(
            settings.listen,
            {
                VIEW_PATH: self._view,
                "/healthz": self._health,
                "/readyz": self._readiness,
                "/metrics": lambda: (HTTPStatus.OK, self._metrics.render()),
            },
        )

    @property
    def port(self) -> int:
        """Port that it answers on."""
        return self._server.port

    def stop(self) -> None:
        """End `run`; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> bool:
        """Watch until `stop` is called; False when it could not go on."""
        settings = self._settings
        limits = {
            "dead_after_seconds": settings.dead_after_seconds,
            "cool_down_seconds": settings.cool_down_seconds,
        }
        _log.info(
            "watching", extra={"fields": {"zones": settings.zones, "database": settings.database, **limits}}
        )
        self._server.start()
        looking = threading.Thread(target=self._look, name="look", daemon=True)
        looking.start()
        try:
            while not self._stop.is_set():
                self._actor.step()
                # A decision follows each round at once; without one there is nothing new to decide.
                self._has_looked.wait()
                self._has_looked.clear()
        finally:
            self._stop.set()
            looking.join()
            self._server.stop()
            self._pool.shutdown()
        _log.info("stopped", extra={"fields": {"is_sound": self._is_sound}})
        return self._is_sound

    def _look(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                self._lookout.look(self._actor.sites)
                self._metrics.count("zone_watcher_rounds_total")
                self._has_looked.set()
                # Rounds that were missed are not made up for.
                due = max(due + ROUND_SECONDS, time.monotonic())
                self._stop.wait(due - time.monotonic())
            self._is_sound = True
        finally:
            # Also when a bug ends this thread: a watcher that cannot look must not stay.
            self._stop.set()
            self._has_looked.set()

    def _view(self) -> Page:
        vote = self._lookout.own_vote()
        if vote is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, "nothing heard yet\n"
        return HTTPStatus.OK, views.dump(vote)

    def _health(self) -> Page:
        age = self._lookout.age_seconds
        is_stuck = age is not None and age > STUCK_SECONDS
        return (HTTPStatus.SERVICE_UNAVAILABLE, "stuck\n") if is_stuck else (HTTPStatus.OK, "alive\n")

    def _readiness(self) -> Page:
        is_ready = self._lookout.own_vote() is not None
        return (HTTPStatus.OK, "ready\n") if is_ready else (HTTPStatus.SERVICE_UNAVAILABLE, "not yet\n")
