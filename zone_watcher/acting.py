"""From what was heard to what is done: gather the rest of an observation, decide, delete, and say so."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from zone_watcher.cluster import Cluster
from zone_watcher.decision import (
    Action,
    Limits,
    Observation,
    Outcome,
    Reason,
    Refusal,
    dead_zones,
    decide,
)
from zone_watcher.errors import ApiError
from zone_watcher.leases import NodeLeases
from zone_watcher.lookout import Clock, Lookout
from zone_watcher.metrics import ACTION, Metrics
from zone_watcher.model import Sites

SITES_SECONDS = 5.0
"""How old knowledge of what stands where may be, while nothing is wrong."""

_log = logging.getLogger(__name__)


class Actor:
    """Decides when it is told to. For one thread, but `sites` and `is_ready` may be read by any."""

    def __init__(
        self,
        cluster: Cluster,
        lookout: Lookout,
        limits: Limits,
        metrics: Metrics,
        clock: Clock = time.monotonic,
    ) -> None:
        """Begin with nothing known.

        Args:
            cluster: What is read and written.
            lookout: What was heard.
            limits: How patient to be.
            metrics: Where decisions are counted.
            clock: For tests.
        """
        self._cluster, self._lookout, self._limits, self._metrics = cluster, lookout, limits, metrics
        self._clock = clock
        self._leases = NodeLeases()
        self._sites_at: float | None = None
        self._acted_at: float | None = None
        self._said: tuple[str, ...] = ()
        self.sites = Sites()
        """What stood where when it was last read."""

    def step(self) -> Outcome | None:
        """Decide once and do it; None while nothing can be decided, because the own zone is not known."""
        if self._sites_at is None or self._clock() - self._sites_at >= SITES_SECONDS:
            self._read_sites()
        votes = self._lookout.votes()
        if not votes:
            return None
        self._metrics.show(votes[0])
        silent = [zone for zone, found in votes[0].silences.items() if found.seconds > 0 and found.kinds]
        observation = Observation(
            zones=self._cluster.zones,
            own_zone=votes[0].zone,
            votes=votes,
            has_node_renewed=self._leases.follow(silent, self.sites.nodes, self._cluster.renewal),
            instances=self.sites.instances,
            seconds_since_action=None if self._acted_at is None else self._clock() - self._acted_at,
        )
        outcome = decide(self._complete(observation), self._limits)
        self._count(outcome)
        self._say(outcome)
        if isinstance(outcome, Action):
            self._act(outcome)
        return outcome

    def _complete(self, observation: Observation) -> Observation:
        """Read the database anew, but only when a zone is dead: nothing that was read before counts then."""
        if isinstance(dead_zones(observation, self._limits), Refusal):
            return observation
        try:
            sites = self._read_sites() or Sites()
            database = self._cluster.database()
            pod = self._cluster.pod(database.primary) if database.primary else None
        except ApiError as error:
            self._failed(error)
            return observation
        return replace(observation, instances=sites.instances, database=database, pod=pod)

    def _read_sites(self) -> Sites | None:
        try:
            self.sites = self._cluster.sites()
        except ApiError as error:
            # What is known stays: pods do not move because the API server is away.
            self._failed(error)
            return None
        self._sites_at = self._clock()
        return self.sites

    def _act(self, action: Action) -> None:
        fields: dict[str, object] = {
            "pod": action.pod,
            "uid": action.uid,
            "zone": action.zone,
            "why": action.detail,
        }
        try:
            is_deleted = self._cluster.delete(action.pod, action.uid)
        except ApiError as error:
            # Not noted as done: the next step reads everything again and decides anew.
            self._metrics.count("zone_watcher_deletions_total", "result", "failed")
            _log.error("deleting the primary's pod failed", extra={"fields": fields | {"error": str(error)}})
            return
        self._acted_at = self._clock()
        result = "deleted" if is_deleted else "gone"
        self._metrics.count("zone_watcher_deletions_total", "result", result)
        said = "deleted the primary's pod" if is_deleted else "the primary's pod is gone already"
        _log.warning(said, extra={"fields": fields})

    def _failed(self, error: ApiError) -> None:
        self._metrics.count("zone_watcher_api_errors_total")
        _log.warning("the API server did not tell", extra={"fields": {"error": str(error)}})

    def _count(self, outcome: Outcome) -> None:
        value = ACTION if isinstance(outcome, Action) else outcome.reason
        self._metrics.count("zone_watcher_decisions_total", "outcome", value)

    def _say(self, outcome: Outcome) -> None:
        """Log a decision when it differs from the one before, not once a second."""
        said = ("act", outcome.uid) if isinstance(outcome, Action) else (str(outcome.reason),)
        if said == self._said:
            return
        self._said = said
        if isinstance(outcome, Action):
            fields: Mapping[str, object] = {"decision": "delete", "pod": outcome.pod, "why": outcome.detail}
        else:
            fields = {"decision": "nothing", "reason": str(outcome.reason), "why": outcome.detail}
        level = logging.INFO if said == (str(Reason.ALL_ALIVE),) else logging.WARNING
        _log.log(level, "decided", extra={"fields": dict(fields)})
