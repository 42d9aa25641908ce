"""A Pulumi program as plain data: run it to the end against a recording monitor, hand back what it registered."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One registered resource."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    is_protected: bool
    dependencies: tuple[str, ...]
    provider: str


@dataclasses.dataclass
class Recording:
    """Everything that one run registered."""

    resources: list[Recorded] = dataclasses.field(default_factory=list)
    component_outputs: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    exports: dict[str, Any] = dataclasses.field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Recorded]:
        """Return the resources whose type ends with `:kind`."""
        return [resource for resource in self.resources if resource.type.endswith(f":{kind}")]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """Return the inputs of the one resource of that kind and Kubernetes name."""
        found = [
            resource.inputs for resource in self.of_kind(kind) if resource.inputs["metadata"]["name"] == name
        ]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]


def plain(value: Any) -> Any:
    """Turn the wire's whole floats back into integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class _Echo(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "kubernetes:core/v1:Service" and outputs["spec"].get("clusterIP") != "None":
            outputs["spec"] = {**outputs["spec"], "clusterIP": "10.96.0.99"}
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:  # noqa: ARG002  # the interface
        return {}, None


class _Recorder(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Echo())
        self.recording = Recording()
        self.loops: set[asyncio.AbstractEventLoop] = set()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        response = super().RegisterResource(request)
        # The SDK gives threads of its pool an event loop where it needs one, and never closes it.
        with contextlib.suppress(RuntimeError):
            self.loops.add(asyncio.get_event_loop())
        if request.type != "pulumi:pulumi:Stack":
            self.recording.resources.append(
                Recorded(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    inputs=plain(rpc.deserialize_properties(request.object)),
                    parent=request.parent,
                    is_protected=request.protect,
                    dependencies=tuple(request.dependencies),
                    provider=request.provider,
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        self.recording.component_outputs[request.urn] = plain(rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)


def record(
    program: Callable[[], None], config: Mapping[str, str] | None = None, secret: Collection[str] = ()
) -> Recording:
    """Run a program in a context and an event loop of its own.

    Args:
        program: Declares resources and may export outputs.
        config: Stack configuration, full keys.
        secret: Which of these keys are encrypted.
    """
    recorder = _Recorder()

    def run() -> None:
        pulumi.runtime.set_mocks(
            _Echo(), project="routerfleet", stack="test", preview=False, monitor=recorder
        )
        pulumi.runtime.set_all_config(dict(config or {}), list(secret))
        pulumi.runtime.test(program)()
        stack = pulumi.runtime.get_root_resource()
        assert stack is not None
        recorder.recording.exports = dict(stack.outputs)  # type: ignore[attr-defined]

    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        try:
            contextvars.Context().run(run)
        finally:
            asyncio.set_event_loop(None)
    for loop in recorder.loops:
        loop.close()
    urns = [resource.urn for resource in recorder.recording.resources]
    assert len(urns) == len(set(urns)), "two resources share a name"
    return recorder.recording
