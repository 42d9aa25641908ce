"""Follows one deployment to its end by its history, over any loss of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from worker.cli.record import Record, RecordReader
from worker.client import RPC_TIMEOUT, is_transient

_PAUSE_SECONDS = 1.0
"""Between two attempts to reach a server that does not answer."""


async def follow(client: Client, workflow_id: str, run_id: str) -> AsyncIterator[Record]:
    """Yield the record whenever it has changed, until the deployment has ended.

    There is no limit to how long the server may be away: a deployment goes on without whoever watches it.

    Raises:
        RPCError: For an error that asking again cannot mend.
    """
    reader = _reader(client, workflow_id, run_id)
    seen = 0
    while True:
        try:
            async for event in _events(client, workflow_id, run_id, is_waiting=True):
                if event.event_id <= seen:
                    continue
                seen = event.event_id
                if await reader.feed(event):
                    yield reader.record
            if reader.record.ended is not None:
                return
        except RPCError as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def read(client: Client, workflow_id: str, run_id: str) -> Record:
    """Return the record as it is now.

    Raises:
        RPCError: When the server does not answer, or has no such run.
    """
    reader = _reader(client, workflow_id, run_id)
    async for event in _events(client, workflow_id, run_id, is_waiting=False):
        await reader.feed(event)
    return reader.record


async def trouble(client: Client, workflow_id: str, run_id: str) -> str:
    """Return in one line what a step that is being tried again fails with; empty when all is well or unknown.

    A failed attempt is in no history until the last one; only the server's description tells.
    """
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        for pending in description.raw_description.pending_activities:
            if pending.HasField("last_failure"):
                converter = client.data_converter.with_context(_context(client, workflow_id))
                error = await converter.decode_failure(pending.last_failure)
                reason = getattr(error, "message", str(error))
                return f"attempt {pending.attempt} of {pending.activity_type.name}: {reason}"
    except RPCError as error:
        return f"Temporal does not answer: {error.message}" if is_transient(error) else ""
    return ""


def _events(
    client: Client, workflow_id: str, run_id: str, *, is_waiting: bool
) -> AsyncIterator[HistoryEvent]:
    handle: WorkflowHandle[object, object] = client.get_workflow_handle(workflow_id, run_id=run_id)
    timeout = None if is_waiting else timedelta(seconds=60)
    return handle.fetch_history_events(wait_new_event=is_waiting, rpc_timeout=timeout)


def _reader(client: Client, workflow_id: str, run_id: str) -> RecordReader:
    # The context tells an encrypting codec whose key to use.
    converter = client.data_converter.with_context(_context(client, workflow_id))
    return RecordReader(workflow_id, run_id, converter)


def _context(client: Client, workflow_id: str) -> WorkflowSerializationContext:
    return WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
