"""What each call of the provider protocol does, on plain values. Messages and gRPC are the servicer's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lab.provider import awaiting, objects
from lab.provider.api import CRD_SECONDS, Api
from lab.provider.awaiting import Patience, Say
from lab.provider.errors import (
    HTTP_CONFLICT,
    HTTP_NOT_FOUND,
    ApiError,
    InitFailedError,
    PluginError,
)
from lab.provider.objects import Refusal
from lab.provider.options import Options
from lab.provider.readiness import Ready
from lab.provider.values import UNKNOWN, Object, at, has_unknown, project, section, text, without_nulls

PREVIEW_UNKNOWN = ("uid", "resourceVersion", "creationTimestamp", "generation")
"""Metadata that only the API server can say."""


@dataclass(frozen=True)
class Call:
    """One call about one resource."""

    urn: str
    type_token: str
    timeout_seconds: float
    say: Say


@dataclass(frozen=True)
class Naming:
    """How a resource without a name gets one."""

    resource: str
    """The resource's own name in the program."""
    seed: bytes
    proposed: str = ""
    """A name from the stack's `pulumi:autonaming` setting."""
    is_disabled: bool = False
    """Whether that setting demands explicit names."""


class Operations:
    """Create, read, update and delete on one API server.

    Args:
        api: None while the provider's own configuration is not known yet (preview of a cluster to come).
        options: the provider's options.
        cancelled: set when the engine cancels; every wait ends soon after.
    """

    def __init__(self, api: Api | None, options: Options, cancelled: asyncio.Event) -> None:
        self.api = api
        self.options = options
        self._cancelled = cancelled

    @property
    def _server(self) -> Api:
        if self.api is None:
            raise PluginError("the provider's kubeconfig is not known yet")
        return self.api

    def _patience(self, call: Call, obj: Object) -> Patience:
        return Patience(awaiting.limit_seconds(call.timeout_seconds, obj), self._cancelled, call.say)

    def _is_forced(self, inputs: Object) -> bool:
        chosen = objects.annotation(inputs, objects.PATCH_FORCE)
        return chosen.lower() == "true" if chosen else self.options.is_force

    async def _apply(self, path: str, wanted: Object, manager: str, *, is_dry_run: bool = False) -> Object:
        forced = self._is_forced(wanted)
        try:
            return await self._server.apply(path, wanted, manager, is_forced=forced, is_dry_run=is_dry_run)
        except ApiError as error:
            if error.code != HTTP_CONFLICT or not str(error).startswith("Apply failed"):
                raise
            hint = f'take the fields over with the annotation {objects.PATCH_FORCE}: "true"'
            raise ApiError(error.code, error.status, objects.label(wanted), hint) from error

    async def check(
        self, type_token: str, old: Object, new: Object, naming: Naming
    ) -> tuple[Object, list[Refusal]]:
        """Return the inputs with name and namespace filled in, and everything that is refused.

        Args:
            type_token: such as `kubernetes:apps/v1:Deployment`.
            old: the inputs in the state, empty for a new object.
            new: the program's inputs.
            naming: how a name is made where the program gives none.
        """
        inputs = {key: without_nulls(value) for key, value in new.items() if value is not None}
        if refused := objects.refusals(type_token, inputs):
            return inputs, refused
        metadata = dict(section(inputs, "metadata"))
        inputs["metadata"] = metadata
        if not metadata.get("name"):
            if naming.is_disabled:
                return inputs, [
                    Refusal("metadata.name", "is required: automatic naming is disabled for this stack")
                ]
            previous = text(old, "metadata", "name") if objects.is_autonamed(old) else ""
            metadata["name"] = (
                previous or naming.proposed or objects.generated_name(naming.resource, naming.seed)
            )
            metadata["annotations"] = {**section(metadata, "annotations"), objects.AUTONAMED: "true"}
        if self.api and not metadata.get("namespace"):
            served = await self.api.kind(text(inputs, "apiVersion"), text(inputs, "kind"))
            if (served and served.is_namespaced) or at(old, "metadata", "namespace"):
                metadata["namespace"] = self.options.namespace or self.api.connection.namespace
        return inputs, []

    async def create(self, call: Call, inputs: Object) -> tuple[str, Object]:
        """Create an object, wait until it is ready, and return its id and outputs."""
        wanted, manager = objects.desired(inputs), objects.field_manager(call.urn, inputs, {})
        path = await self._server.path(wanted, wait_seconds=CRD_SECONDS)
        await self._make_room(call, path, wanted, manager)
        live = await self._apply(path, wanted, manager)
        return objects.object_id(live), await self._settled(call, path, inputs, live, manager)

    async def _settled(self, call: Call, path: str, inputs: Object, live: Object, manager: str) -> Object:
        """Wait until an applied object is ready and return its outputs; a failure carries them too."""
        try:
            live = await awaiting.until_ready(self._server, path, inputs, live, self._patience(call, live))
        except InitFailedError as error:
            found = objects.outputs(inputs, error.properties, manager)
            raise InitFailedError(error.object_id, inputs, found, error.reasons) from None
        return objects.outputs(inputs, live, manager)

    async def _make_room(self, call: Call, path: str, wanted: Object, manager: str) -> None:
        """Refuse to take over an object of somebody else; let one that is being deleted go first.

        An object that this very resource owns is the leftover of an interrupted create, and is taken up again.
        """
        existing = await self._server.get(path)
        if existing and at(existing, "metadata", "deletionTimestamp"):
            uid = text(existing, "metadata", "uid")
            await awaiting.until_gone(self._server, path, uid, self._patience(call, wanted))
        elif existing and not self.options.is_upsert and manager not in objects.managers(existing):
            raise PluginError(f"{objects.label(existing)} already exists; {EXISTS_HELP}")

    async def update(self, call: Call, old: Object, inputs: Object) -> Object:
        """Apply changed inputs, wait until the object is ready, and return its outputs."""
        wanted, manager = objects.desired(inputs), objects.field_manager(call.urn, inputs, old)
        path = await self._server.path(wanted, wait_seconds=CRD_SECONDS)
        live = await self._apply(path, wanted, manager)
        return await self._settled(call, path, inputs, live, manager)

    async def preview_create(self, call: Call, inputs: Object) -> Object:
        """Return what the new object will look like, as far as the API server can say without making it."""
        wanted, manager = objects.desired(inputs), objects.field_manager(call.urn, inputs, {})
        live = await self._tried_create(wanted, manager)
        planned = objects.outputs(inputs, live or wanted, manager)
        planned["metadata"] = {**section(planned, "metadata"), **dict.fromkeys(PREVIEW_UNKNOWN, UNKNOWN)}
        planned["status"] = UNKNOWN
        if text(inputs, "kind") == "Service" and not at(inputs, "spec", "clusterIP"):
            planned["spec"] = {**section(planned, "spec"), "clusterIP": UNKNOWN, "clusterIPs": UNKNOWN}
        return planned

    async def _tried_create(self, wanted: Object, manager: str) -> Object | None:
        """Dry-run a create; None where it cannot be asked yet, because a value, its namespace or its CRD is to come."""
        if self.api is None or has_unknown(wanted):
            return None
        try:
            path = await self.api.path(wanted)
            existing = await self.api.get(path)
            if existing and (
                self._is_ours(existing, manager) or at(existing, "metadata", "deletionTimestamp")
            ):
                return None  # to be replaced by this very update: deleted first, then made anew
            if existing and not self.options.is_upsert:
                raise PluginError(f"{objects.label(existing)} already exists; {EXISTS_HELP}")
            return await self._apply(path, wanted, manager, is_dry_run=True)
        except ApiError as error:
            if error.code == HTTP_NOT_FOUND:
                return None
            raise

    @staticmethod
    def _is_ours(existing: Object, manager: str) -> bool:
        return any(
            name == manager or name.startswith(objects.MANAGER_PREFIX) for name in objects.managers(existing)
        )

    async def preview_update(self, call: Call, old: Object, inputs: Object) -> Object:
        """Return what the object will look like."""
        wanted, manager = objects.desired(inputs), objects.field_manager(call.urn, inputs, old)
        live: Object | None = None
        if self.api is not None and not has_unknown(wanted):
            try:
                live = await self._apply(await self.api.path(wanted), wanted, manager, is_dry_run=True)
            except ApiError as error:
                if error.code != HTTP_NOT_FOUND:
                    raise
        planned = objects.outputs(inputs, live or old | wanted, manager)
        changing: Object = dict.fromkeys(("resourceVersion", "generation"), UNKNOWN)
        return {**planned, "metadata": {**section(planned, "metadata"), **changing}}

    async def read(
        self, call: Call, object_id: str, old: Object, old_inputs: Object
    ) -> tuple[Object, Object] | None:
        """Return inputs and outputs of the object as it is now, None if there is none.

        Raises:
            InitFailedError: it is there but not ready; one that Pulumi manages is then waited for by the next update.
        """
        live = await self._look_up(object_id, call.type_token, old)
        if live is None:
            return None
        manager = objects.field_manager(call.urn, {}, old)
        if not old_inputs:
            return imported(live), objects.outputs({}, live, manager)
        inputs = drifted(old_inputs, live)
        verdict = await awaiting.judge_calmly(self._server, live)
        if not isinstance(verdict, Ready):
            reasons = [f"{objects.label(live)} is not ready: {verdict.reason}"]
            reasons += await awaiting.explanation(self._server, live)
            raise InitFailedError(object_id, inputs, objects.outputs(inputs, live, manager), reasons)
        return inputs, objects.outputs(inputs, live, manager)

    async def _look_up(self, object_id: str, type_token: str, old: Object) -> Object | None:
        module, _, kind = type_token.partition(":")[2].rpartition(":")
        namespace, _, name = object_id.rpartition("/")
        version = text(old, "apiVersion") or module.removeprefix("core/")
        served = await self._server.any_version(version, text(old, "kind") or kind)
        if served is None:
            return None  # its CRD is gone, and it with it
        metadata: Object = {"namespace": namespace, "name": name}
        return await self._server.get(self._server.path_in(served, {"metadata": metadata}))

    async def delete(self, call: Call, old: Object) -> None:
        """Delete exactly the object the state knows, and wait until it is gone.

        Raises:
            NotReadyError: it is still there when time is over; names the finalizers that hold it.
        """
        server = self._server
        served = await server.any_version(text(old, "apiVersion"), text(old, "kind"))
        if served is None:
            return
        path, uid = server.path_in(served, old), text(old, "metadata", "uid")
        propagation = objects.PROPAGATIONS[
            objects.annotation(old, objects.PROPAGATION).lower() or "foreground"
        ]
        body: Object = {"propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await server.call("DELETE", path, body)
        except ApiError as error:
            if error.code == HTTP_NOT_FOUND or (
                error.code == HTTP_CONFLICT and await self._is_other(path, uid)
            ):
                return
            raise
        if (
            objects.is_annotated(old, objects.SKIP_AWAIT)
            and objects.kind_of(old) in objects.DELETE_MAY_SKIP_AWAIT
        ):
            return
        await awaiting.until_gone(server, path, uid, self._patience(call, old))

    async def _is_other(self, path: str, uid: str) -> bool:
        """Tell whether the name now belongs to another object; ours is then gone, and that one is not ours to delete."""
        live = await self._server.get(path)
        return live is None or text(live, "metadata", "uid") != uid


EXISTS_HELP = (
    "this resource did not create it: import it, delete it, or take it over with upsertExistingObjects "
    "(PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true)"
)


def imported(live: Object) -> Object:
    """Return the inputs of an object that was not declared yet: all but what the API server and controllers say."""
    found: Object = {key: value for key, value in live.items() if key not in ("status", "metadata")}
    kept = ("name", "namespace", "labels", "annotations")
    found["metadata"] = {key: value for key, value in section(live, "metadata").items() if key in kept}
    return found


def drifted(old_inputs: Object, live: Object) -> Object:
    """Return the inputs as the live object has them now."""
    hidden = ("status", "stringData")
    inputs = project({key: value for key, value in old_inputs.items() if key not in hidden}, live)
    found = inputs if isinstance(inputs, dict) else {}
    if "status" in old_inputs:
        found["status"] = old_inputs["status"]
    if "stringData" in old_inputs:
        found["stringData"] = objects.live_string_data(old_inputs, live)
    return found
