"""The four Temporal services: ports, health names and drain times, in one table.

Pure data. What a service costs (replicas, resources) is configuration and lives in `infra.settings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ServiceName = Literal["frontend", "history", "matching", "worker"]

METRICS_PORT = 9090
"""Prometheus port of every pod."""

HTTP_API_PORT = 7243
"""Port of the frontend's HTTP API."""


@dataclass(frozen=True)
class TemporalServiceSpec:
    """What is the same for a Temporal service on every stack.

    The times are the server's own drain, in seconds; its defaults are 0, with which a stopping pod refuses calls
    within 0.7 s of SIGTERM (measured).
    """

    name: ServiceName
    """Name as `temporal-server start --service` takes it."""
    grpc_port: int
    """gRPC port. Set for the worker service too: without it the server listens on a random port."""
    membership_port: int
    """Ringpop port; every server pod must reach it on every other."""
    health_service: str
    """Name that the gRPC health protocol asks for."""
    fail_health_seconds: int = 0
    """How long it answers NOT_SERVING while still taking calls, so that balancers leave first."""
    align_seconds: int = 0
    """Wall-clock step that membership changes wait for, so that several leaving pods move shards once."""
    drain_seconds: int = 0
    """How long it finishes calls after refusing new ones."""

    @property
    def grace_seconds(self) -> int:
        """Seconds that Kubernetes gives a stopping pod: every drain step, and 15 to close stores and exit."""
        return self.fail_health_seconds + self.align_seconds + self.drain_seconds + 15


FRONTEND = TemporalServiceSpec(
    name="frontend",
    grpc_port=7233,
    membership_port=6933,
    health_service="temporal.api.workflowservice.v1.WorkflowService",
    # The balancer sees NOT_SERVING within 2 s; clients of a headless Service need a DNS refresh of 5 s.
    fail_health_seconds=10,
    # Long polls last up to 60 s and end by themselves.
    drain_seconds=65,
)
HISTORY = TemporalServiceSpec(
    name="history",
    grpc_port=7234,
    membership_port=6934,
    health_service="temporal.api.workflowservice.v1.HistoryService",
    align_seconds=10,
    drain_seconds=10,
)
MATCHING = TemporalServiceSpec(
    name="matching",
    grpc_port=7235,
    membership_port=6935,
    health_service="temporal.api.workflowservice.v1.MatchingService",
    align_seconds=10,
    drain_seconds=10,
)
WORKER = TemporalServiceSpec(
    name="worker",
    grpc_port=7239,
    membership_port=6939,
    health_service="temporal.api.workflowservice.v1.WorkerService",
)

SERVICES: tuple[TemporalServiceSpec, ...] = (FRONTEND, HISTORY, MATCHING, WORKER)
"""All four, in the order in which a request meets them."""

BALANCER_PORT = 7233
"""Port on which clients reach Temporal."""
BALANCER_STATUS_PORT = 8404
"""Port of the load balancer's health and metrics."""
BALANCER_LEAVE_SECONDS = 10
"""How long a stopping balancer pod still takes connections while Services forget it."""
BALANCER_DRAIN_SECONDS = 70
"""How long it then finishes calls: a long poll of 60 s and its answer."""
BALANCER_GRACE_SECONDS = BALANCER_LEAVE_SECONDS + BALANCER_DRAIN_SECONDS + 10
"""Seconds that Kubernetes gives a stopping balancer pod."""

UI_PORT = 8080
"""Port of the web interface."""
WORKER_HEALTH_PORT = 8080
"""Port of a worker's health endpoints."""
CODEC_PORT = 8081
"""Port of the codec server."""
ZONE_WATCHER_PORT = 8082
"""Port of the zone watcher: its vote, health and metrics."""
