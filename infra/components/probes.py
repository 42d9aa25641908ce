"""Probes of the three shapes that the bundle's programs answer."""

from __future__ import annotations

from pulumi_kubernetes.core import v1 as core

from infra.components.workload import Probes

_STARTUP_PERIOD_SECONDS = 2
_STARTUP_FAILURES = 150
"""Five minutes to start: stores may be failing over just then, and a restart would only begin again."""

_LIVENESS_FAILURES = 6
"""A minute without an answer. Short hangs are the readiness probe's business; killing makes them outages."""


def grpc_probes(port: int, service: str) -> Probes:
    """Return probes of a gRPC server: ready by its health service, alive while its port answers."""
    return Probes(
        startup=_startup(tcp_socket=core.TCPSocketActionArgs(port=port)),
        liveness=_liveness(tcp_socket=core.TCPSocketActionArgs(port=port)),
        readiness=core.ProbeArgs(
            grpc=core.GRPCActionArgs(port=port, service=service),
            period_seconds=3,
            timeout_seconds=2,
            failure_threshold=2,
        ),
    )


def http_probes(port: int, *, live: str, ready: str) -> Probes:
    """Return probes of an HTTP server.

    Args:
        port: Its port.
        live: Path that answers while the process is sound.
        ready: Path that answers while it can do its work.
    """
    return Probes(
        startup=_startup(http_get=core.HTTPGetActionArgs(port=port, path=live)),
        liveness=_liveness(http_get=core.HTTPGetActionArgs(port=port, path=live)),
        readiness=core.ProbeArgs(
            http_get=core.HTTPGetActionArgs(port=port, path=ready),
            period_seconds=3,
            timeout_seconds=2,
            failure_threshold=2,
        ),
    )


def _startup(
    *, tcp_socket: core.TCPSocketActionArgs | None = None, http_get: core.HTTPGetActionArgs | None = None
) -> core.ProbeArgs:
    return core.ProbeArgs(
        tcp_socket=tcp_socket,
        http_get=http_get,
        period_seconds=_STARTUP_PERIOD_SECONDS,
        timeout_seconds=2,
        failure_threshold=_STARTUP_FAILURES,
    )


def _liveness(
    *, tcp_socket: core.TCPSocketActionArgs | None = None, http_get: core.HTTPGetActionArgs | None = None
) -> core.ProbeArgs:
    return core.ProbeArgs(
        tcp_socket=tcp_socket,
        http_get=http_get,
        period_seconds=10,
        timeout_seconds=5,
        failure_threshold=_LIVENESS_FAILURES,
    )
