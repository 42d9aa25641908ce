"""Pulumi's provider protocol: messages in, messages out, failures as the engine wants them.

`acceptSecrets` stays false: the engine then sends plain values and marks the same paths secret again in what comes
back. Contents of a Secret are marked here besides, however the program spelled them.
"""
# ruff: noqa: N802 -- method names are the protocol's
# The generated base class types every context as grpcio's, which ships no types:
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import grpc
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import engine_pb2, plugin_pb2, provider_pb2, provider_pb2_grpc

from lab.provider import diffing, kubeconfig, manifests, objects, options, wire
from lab.provider.api import Api
from lab.provider.diffing import Diff
from lab.provider.errors import ApiError, InitFailedError, PluginError
from lab.provider.install import plugin_version
from lab.provider.operations import Call, Naming, Operations
from lab.provider.replies import Context, check_response, diff_response, fail
from lab.provider.values import UNKNOWN, differences, text


class Engine(Protocol):
    """The part of the engine's service that is used here."""

    async def Log(self, request: engine_pb2.LogRequest) -> object:
        """Show a line to the person at the terminal."""
        ...


S = TypeVar("S", bound="Servicer")
Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
Method = Callable[[S, Q, Context], Awaitable[R]]


def reported(method: Method[S, Q, R]) -> Method[S, Q, R]:
    """Turn our failures into gRPC statuses; anything else is a defect and keeps its stack trace (on stderr)."""

    @functools.wraps(method)
    async def call(self: S, request: Q, context: Context) -> R:
        try:
            return await method(self, request, context)
        except InitFailedError as error:
            detail = provider_pb2.ErrorResourceInitFailed(
                id=error.object_id,
                properties=wire.struct(error.properties),
                inputs=wire.struct(objects.protect_secret(error.inputs)),
                reasons=error.reasons,
            )
            await fail(context, str(error), detail)
        except (PluginError, wire.SpecialValueError) as error:
            await fail(context, str(error))

    return call


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider process. Method names and messages are the protocol's.

    Args:
        engine: where progress is shown, None where the engine gave no address.
    """

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine
        self._cancelled = asyncio.Event()
        self._operations = Operations(None, options.Options(), self._cancelled)

    async def close(self) -> None:
        """Close the connections."""
        if self._operations.api:
            await self._operations.api.close()

    def _call(self, urn: str, type_token: str, timeout_seconds: float = 0.0) -> Call:
        return Call(urn, type_token, timeout_seconds, functools.partial(self._say, urn))

    async def _say(self, urn: str, line: str) -> None:
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True)
        try:
            await self._engine.Log(request)
        except grpc.RpcError:
            self._engine = None  # the engine has gone: nobody is left to read progress

    async def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        """Say which plugin this is: the one the SDK asks for."""
        del request, context
        return plugin_pb2.PluginInfo(version=plugin_version())

    @reported
    async def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        """Refuse provider options that are not modelled."""
        del context
        args = wire.plain_struct(request.news)
        return check_response(args, options.refusals(args, os.environ))

    @reported
    async def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: Context
    ) -> provider_pb2.DiffResponse:
        """Another cluster means new objects; any other option changes in place."""
        del context
        changes = differences(wire.plain_struct(request.old_inputs), wire.plain_struct(request.news))
        replaces = tuple(path for path in changes if path in options.REPLACING)
        return diff_response(Diff(changes, replaces))

    @reported
    async def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Context
    ) -> provider_pb2.ConfigureResponse:
        """Connect; an API server that cannot be reached is one message here, not one per resource."""
        del context
        args = wire.plain_struct(request.args)
        if refused := options.refusals(args, os.environ):
            raise PluginError("; ".join(entry.reason for entry in refused))
        chosen = options.parse(args, os.environ)
        api: Api | None = None
        if UNKNOWN not in (chosen.kubeconfig, chosen.context, chosen.cluster):
            api = Api(kubeconfig.load(chosen.kubeconfig, chosen.context, chosen.cluster))
            await greet(api)
        self._operations = Operations(api, chosen, self._cancelled)
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    @reported
    async def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        """Fill in name and namespace; refuse what is not modelled."""
        del context
        autonaming = request.autonaming
        disabled = (
            request.HasField("autonaming")
            and autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
        )
        naming = Naming(request.name, request.randomSeed, autonaming.proposed_name, disabled)
        old, new = wire.plain_struct(request.olds), wire.plain_struct(request.news)
        inputs, refused = await self._operations.check(request.type, old, new, naming)
        return check_response(objects.protect_secret(inputs), refused)

    @reported
    async def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        """Say what an update would change, and whether that takes a new object."""
        del context
        old, old_inputs = wire.plain_struct(request.olds), wire.plain_struct(request.old_inputs)
        new, current = wire.plain_struct(request.news), self._operations
        found = await diffing.diff(current.api, current.options, request.urn, old, old_inputs, new)
        return diff_response(found)

    @reported
    async def Create(
        self, request: provider_pb2.CreateRequest, context: Context
    ) -> provider_pb2.CreateResponse:
        """Create an object, or say what it would be."""
        del context
        call, inputs = (
            self._call(request.urn, request.type, request.timeout),
            wire.plain_struct(request.properties),
        )
        if request.preview:
            planned = await self._operations.preview_create(call, inputs)
            return provider_pb2.CreateResponse(properties=wire.struct(planned))
        object_id, properties = await self._operations.create(call, inputs)
        return provider_pb2.CreateResponse(id=object_id, properties=wire.struct(properties))

    @reported
    async def Update(
        self, request: provider_pb2.UpdateRequest, context: Context
    ) -> provider_pb2.UpdateResponse:
        """Update an object in place, or say what it would become."""
        del context
        call, inputs = self._call(request.urn, request.type, request.timeout), wire.plain_struct(request.news)
        work = self._operations.preview_update if request.preview else self._operations.update
        properties = await work(call, wire.plain_struct(request.olds), inputs)
        return provider_pb2.UpdateResponse(properties=wire.struct(properties))

    @reported
    async def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        """Look at an object as it is now."""
        del context
        old, old_inputs = wire.plain_struct(request.properties), wire.plain_struct(request.inputs)
        found = await self._operations.read(
            self._call(request.urn, request.type), request.id, old, old_inputs
        )
        if found is None:
            return provider_pb2.ReadResponse()
        inputs, properties = found
        protected = wire.struct(objects.protect_secret(inputs))
        return provider_pb2.ReadResponse(id=request.id, inputs=protected, properties=wire.struct(properties))

    @reported
    async def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        """Delete an object and wait until it is gone."""
        del context
        call = self._call(request.urn, request.type, request.timeout)
        await self._operations.delete(call, wire.plain_struct(request.properties))
        return empty_pb2.Empty()

    @reported
    async def Invoke(
        self, request: provider_pb2.InvokeRequest, context: Context
    ) -> provider_pb2.InvokeResponse:
        """Decode YAML; every other function is refused."""
        del context
        args = wire.plain_struct(request.args)
        if request.tok != manifests.DECODE:
            raise PluginError(f"function {request.tok} is not supported by this plugin")
        found = manifests.decode(text(args, "text"), text(args, "defaultNamespace"))
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(
            wire.struct({"result": list(found)})
        )  # a keyword of Python, a field of theirs
        return response

    @reported
    async def Construct(
        self, request: provider_pb2.ConstructRequest, context: Context
    ) -> provider_pb2.ConstructResponse:
        """Refuse components that the vendor's plugin makes: charts, kustomizations, yaml/v2."""
        del context
        raise PluginError(f"{request.type} is not supported by this plugin: declare the objects themselves")

    async def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        """End every wait; what exists is recorded as not ready."""
        del request, context
        self._cancelled.set()
        return empty_pb2.Empty()


async def greet(api: Api) -> None:
    """Ask the API server for its version, to find out now whether it can be reached at all.

    Raises:
        PluginError: it cannot, or it refuses the user.
    """
    try:
        await api.call("GET", "/version")
    except ApiError as error:
        server = api.connection.server
        raise PluginError(
            f"the Kubernetes API server {server} refuses the kubeconfig's user: {error}"
        ) from error
