"""Runs workflow code for all lanes of a process together: one runner, one set of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, ParamSpec, TypeVar

from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_PATIENCE_SECONDS = 1.0
"""How long a workflow task waits to be let in at most. Well below the SDK's 2 s, so that workflows that really
hang, and hold every thread, are still found out."""


class SharedRunner(WorkflowRunner):
    """Looks at each workflow in the sandbox, once and not again for every lane; runs it outside.

    The sandbox imports a workflow's modules anew for every run. Measured for `RouterDeployment` (on a busy
    machine): 25 ms of the event loop and 63 kB for each run, against 0.14 ms and nothing outside, so that a
    hundred deployments that start together stopped the process for long enough to time out workflow tasks. What
    the sandbox finds is code that is not deterministic; the replay tests run every recorded history in it. And
    preparing each workflow for each of 1000 lanes took 37 s, for all together under 1 s.
    """

    def __init__(self) -> None:
        self._sandbox = SandboxedWorkflowRunner()
        self._plain = UnsandboxedWorkflowRunner()
        self._prepared: set[str | None] = set()

    def prepare_workflow(self, defn: Any) -> None:  # noqa: ANN401 - the SDK keeps its type to itself
        """Check that the workflow runs in the sandbox, the first time."""
        if defn.name not in self._prepared:
            self._sandbox.prepare_workflow(defn)
            self._prepared.add(defn.name)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return a workflow that is ready to run."""
        return self._plain.create_instance(det)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """Take what the SDK passes on."""
        self._sandbox.set_worker_level_failure_exception_types(types)
        self._plain.set_worker_level_failure_exception_types(types)


class WorkflowThreads(ThreadPoolExecutor):
    """Threads for workflow code; whoever brings more than can wait is made to wait himself.

    That is the event loop, and it is right to stop it for a moment: it would otherwise hand over tasks faster
    than they are done, and the SDK takes a task that has only waited for a deadlocked workflow.
    """

    def __init__(self, threads: int, waiting_max: int) -> None:
        super().__init__(threads, thread_name_prefix="workflow")
        self._places = BoundedSemaphore(threads + waiting_max)

    def submit(
        self, fn: Callable[_Parameters, _Result], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Future[_Result]:
        """Hand over a workflow task, as soon as there is a place for it."""
        has_place = self._places.acquire(timeout=_PATIENCE_SECONDS)
        future = super().submit(fn, *args, **kwargs)
        if has_place:
            future.add_done_callback(lambda _: self._places.release())
        return future
