"""Answers of the provider protocol: plain decisions to messages, failures to gRPC statuses."""

from __future__ import annotations

from typing import NoReturn, Protocol

import grpc
from google.protobuf.message import Message
from pulumi.runtime.proto import provider_pb2, status_pb2

from lab.provider import wire
from lab.provider.diffing import Diff
from lab.provider.objects import Refusal
from lab.provider.values import Change, Object

DIFF_KINDS = {
    Change.ADD: (provider_pb2.PropertyDiff.ADD, provider_pb2.PropertyDiff.ADD_REPLACE),
    Change.DELETE: (provider_pb2.PropertyDiff.DELETE, provider_pb2.PropertyDiff.DELETE_REPLACE),
    Change.UPDATE: (provider_pb2.PropertyDiff.UPDATE, provider_pb2.PropertyDiff.UPDATE_REPLACE),
}
"""How the protocol spells a change in place, and one that takes a new object."""


class Context(Protocol):
    """The part of a gRPC call's context that is used here; grpcio ships no types."""

    async def abort(
        self, code: object, details: str, trailing_metadata: tuple[tuple[str, bytes], ...] = ()
    ) -> NoReturn:
        """End the call with a failure."""
        ...


async def fail(context: Context, message: str, detail: Message | None = None) -> NoReturn:
    """End a call with a message and, for an object that exists but is not ready, its state."""
    code, number = grpc.StatusCode.UNKNOWN, 2
    status = status_pb2.Status(code=number, message=message)
    if detail is not None:
        status.details.add().Pack(detail)
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))


def check_response(inputs: Object, refused: list[Refusal]) -> provider_pb2.CheckResponse:
    """Return the answer to a check."""
    failures = [provider_pb2.CheckFailure(property=entry.path, reason=entry.reason) for entry in refused]
    return provider_pb2.CheckResponse(inputs=wire.struct(inputs), failures=failures)


def diff_response(found: Diff) -> provider_pb2.DiffResponse:
    """Return the answer to a diff."""
    if not found.changes:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE, hasDetailedDiff=True)
    detailed = {
        path: provider_pb2.PropertyDiff(kind=DIFF_KINDS[change][path in found.replaces], inputDiff=True)
        for path, change in found.changes.items()
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME,
        diffs=sorted({path.partition(".")[0].partition("[")[0] for path in found.changes}),
        replaces=found.replaces,
        deleteBeforeReplace=found.is_delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )
