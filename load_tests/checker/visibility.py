"""Visibility: which runs it lists for the workflow ids under test, and when it agrees with the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import timedelta

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from load_tests.checker.bounded import bounded
from load_tests.checker.facts import status_of
from load_tests.checker.observations import Run, Target, Unread, VisibleRun
from load_tests.checker.reading import GoneError, UnreadableError, insist
from load_tests.checker.sources import Sources
from load_tests.models import Operation, Outcome

_IDS_PER_QUERY = 50
"""A query is a line of text; ids are up to some 100 characters each."""
_PAGE = 1000
"""Runs per answer; the server's own limit (`frontend.visibilityMaxPageSize`)."""
_TIMEOUT = timedelta(seconds=30)
_LOOK_SECONDS = 0.5

_Chunk = tuple[str, tuple[str, ...]]
"""A namespace and some of its workflow ids."""


class VisibilityReader:
    """Asks visibility about the operations' workflow ids, some at a time.

    Args:
        sources: The clients, and how long to ask.
        operations: Whose workflow ids.
        runs: What the store has, by run id; read again at each comparison.
    """

    def __init__(self, sources: Sources, operations: Iterable[Operation], runs: Mapping[str, Run]) -> None:
        self._sources = sources
        self._runs = runs
        self._chunks = _chunks(operations)
        self.unread: list[Unread] = []

    async def unknown_runs(self) -> set[Target]:
        """Return the runs that it lists and that were not read from the store."""
        listed = await bounded(self._sources.concurrency, self._chunks, self._try_list)
        return {row.target for rows in listed for row in rows if row.target.run_id not in self._runs}

    async def converge(self, unread: Set[str]) -> tuple[tuple[VisibleRun, ...] | None, float | None]:
        """Wait until it lists exactly the store's runs.

        Args:
            unread: Ids of workflows that the store has not said everything about: nothing is waited for.

        Returns:
            What it lists in the end, None when it could not be asked; and after how many seconds it agreed with
            the store, None when it has not.
        """
        if self.unread:
            return None, None
        begun = asyncio.get_running_loop().time()
        deadline = begun + self._sources.visibility_seconds
        expected = _expected(self._runs.values())

        async def settle(chunk: _Chunk) -> tuple[Sequence[VisibleRun], bool]:
            namespace, ids = chunk
            known = [workflow_id for workflow_id in ids if workflow_id not in unread]
            wanted = {row for workflow_id in known for row in expected.get((namespace, workflow_id), ())}
            while True:
                rows = await self._try_list(chunk)
                is_agreed = {row for row in rows if row.target.workflow_id not in unread} == wanted
                if is_agreed or asyncio.get_running_loop().time() >= deadline:
                    return rows, is_agreed
                await asyncio.sleep(_LOOK_SECONDS)

        settled = await bounded(self._sources.concurrency, self._chunks, settle)
        seconds = asyncio.get_running_loop().time() - begun
        if self.unread:
            return None, None
        rows = tuple(row for rows, _ in settled for row in rows)
        return rows, seconds if all(is_agreed for _, is_agreed in settled) else None

    async def _try_list(self, chunk: _Chunk) -> list[VisibleRun]:
        try:
            return await self._list(*chunk)
        except (GoneError, UnreadableError) as error:
            self.unread.append(Unread(f"visibility of {chunk[0]}", str(error)))
            return []

    async def _list(self, namespace: str, ids: Sequence[str]) -> list[VisibleRun]:
        service = self._sources.client(namespace).workflow_service
        quoted = ", ".join(f"'{_quoted(workflow_id)}'" for workflow_id in ids)
        rows: list[VisibleRun] = []
        token = b""
        while True:
            request = ListWorkflowExecutionsRequest(
                namespace=namespace,
                query=f"WorkflowId IN ({quoted})",
                page_size=_PAGE,
                next_page_token=token,
            )
            page = await insist(
                lambda request=request: service.list_workflow_executions(
                    request, retry=False, timeout=_TIMEOUT
                ),
                self._sources.read_seconds,
            )
            for info in page.executions:
                target = Target(namespace, info.execution.workflow_id, info.execution.run_id)
                rows.append(VisibleRun(target, status_of(info.status)))
            token = page.next_page_token
            if not token:
                return rows


def _chunks(operations: Iterable[Operation]) -> list[_Chunk]:
    ids: dict[str, dict[str, None]] = {}
    for operation in operations:
        if operation.outcome is not Outcome.NOT_SENT:
            ids.setdefault(operation.namespace, {})[operation.workflow_id] = None
    return [
        (namespace, tuple(listed)[begin : begin + _IDS_PER_QUERY])
        for namespace, listed in ids.items()
        for begin in range(0, len(listed), _IDS_PER_QUERY)
    ]


def _expected(runs: Iterable[Run]) -> dict[tuple[str, str], set[VisibleRun]]:
    expected: dict[tuple[str, str], set[VisibleRun]] = {}
    for run in runs:
        target = run.target
        row = VisibleRun(target, run.status)
        expected.setdefault((target.namespace, target.workflow_id), set()).add(row)
    return expected


def _quoted(text: str) -> str:
    r"""Return the text as it stands between single quotes in a visibility query."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
