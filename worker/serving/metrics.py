"""The package's own Prometheus metrics, and the SDK's runtime that serves them with its own.

Tenants' names are label values as they are: the SDK's exporter leaves them unaltered, and they are letters and
digits anyway. No label names a router or a workflow, whose number has no bound.

- `routerfleet_steps_total{tenant,step,outcome}`: steps that ended; outcome as `Outcome`.
- `routerfleet_step_seconds{tenant}`: histogram of how long they ran; without those handed back as busy. By step
  the SDK has it: `temporal_activity_execution_latency_seconds{activity_type}`.
- `routerfleet_deployments_total{tenant,phase}`: deployments that ended, by the phase they ended in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from temporalio.common import MetricMeter
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from worker.errors import UsageError
from worker.settings import Address

STEPS = "routerfleet_steps"
STEP_SECONDS = "routerfleet_step"
DEPLOYMENTS = "routerfleet_deployments"
"""Names as the SDK takes them: it appends `_total` to counters and the unit to durations."""

_STEP_BUCKETS_SECONDS = (0.05, 0.2, 1.0, 5.0, 15.0, 30.0, 60.0)
"""A step ends within 60 s."""
_WAIT_BUCKETS_SECONDS = (0.05, 0.5, 5.0, 60.0)
_TIME_BUCKETS_SECONDS = (1.0, 10.0, 60.0)
_SDK_BUCKETS: Mapping[str, Sequence[float]] = {
    "activity_schedule_to_start_latency": _WAIT_BUCKETS_SECONDS,
    "workflow_task_schedule_to_start_latency": _WAIT_BUCKETS_SECONDS,
    "activity_execution_latency": _TIME_BUCKETS_SECONDS,
    "activity_succeed_endtoend_latency": _TIME_BUCKETS_SECONDS,
    "workflow_endtoend_latency": _TIME_BUCKETS_SECONDS,
    "workflow_task_execution_latency": _TIME_BUCKETS_SECONDS,
    "workflow_task_replay_latency": _TIME_BUCKETS_SECONDS,
    "long_request_latency": _TIME_BUCKETS_SECONDS,
}
"""The SDK's own histograms, of which each queue, and each kind of step in it, has one: few buckets. With its own a
scrape of 200 queues was 11 MB."""


class Outcome(StrEnum):
    """How a step ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BUSY = "busy"
    """Handed back, because the tenant ran as many as it may."""


class StepMetrics:
    """Counts and times the steps of one process."""

    def __init__(self, meter: MetricMeter) -> None:
        self._steps = meter.create_counter(STEPS, "Steps that ended, by tenant, step and outcome.")
        self._seconds = meter.create_histogram_timedelta(STEP_SECONDS, "How long steps ran.", "duration")

    def record(self, tenant: str, step: str, outcome: Outcome, duration: timedelta) -> None:
        """Record one step that has ended."""
        self._steps.add(1, {"tenant": tenant, "step": step, "outcome": outcome.value})
        if outcome is not Outcome.BUSY:
            self._seconds.record(duration, {"tenant": tenant})


def record_deployment(meter: MetricMeter, tenant: str, phase: str) -> None:
    """Record one deployment that has ended; with a workflow's own meter, which is silent in a replay."""
    counter = meter.create_counter(DEPLOYMENTS, "Deployments that ended, by tenant and last phase.")
    counter.add(1, {"tenant": tenant, "phase": phase})


def runtime(metrics: Address) -> Runtime:
    """Return the SDK's runtime: metrics for Prometheus, its own log lines among ours.

    Without worker heartbeats, which cost a thread and some 0.05 MB per queue: what they would tell the server
    (slots, CPU) is in the metrics.

    Raises:
        UsageError: When the metrics address cannot be listened on.
    """
    telemetry = TelemetryConfig(
        logging=LoggingConfig(
            TelemetryFilter(core_level="WARN", other_level="ERROR"),
            forwarding=LogForwardingConfig(logging.getLogger("temporalio.core")),
        ),
        metrics=PrometheusConfig(
            bind_address=str(metrics),
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
            histogram_bucket_overrides={**_SDK_BUCKETS, STEP_SECONDS: _STEP_BUCKETS_SECONDS},
        ),
    )
    try:
        return Runtime(telemetry=telemetry, worker_heartbeat_interval=None)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"ROUTERFLEET_METRICS_ADDRESS: {metrics} cannot be listened on: {error}") from error
