"""The stack's outputs: the contract between the program and everything that reads a running stack."""

from __future__ import annotations

import json
import subprocess
from typing import Any, TypedDict, cast

import pulumi

OutputValue = str | pulumi.Output[str]


class TenantOutput(TypedDict):
    """Where a tenant's deployments run."""

    strategy: str
    namespace: str
    task_queue: str
    workers: str
    """Which of `components` serves it."""


class Survives(TypedDict):
    """What the stores lose without losing an acknowledged write or the ability to write."""

    zones: int | None
    """Zones at once; none where somebody else runs the stores."""
    instances: int | None
    """Instances at once."""


class PersistenceOutput(TypedDict):
    """What keeps the state."""

    kind: str
    survives: Survives


class ComponentOutput(TypedDict):
    """What should be running."""

    selector: str
    """Label selector of its pods, in the stack's Kubernetes namespace."""
    replicas: int
    zones: int
    """Number of different zones that its pods are spread over."""


class Outputs(TypedDict):
    """All outputs; `pulumi stack output --json` prints exactly these."""

    kubernetes_namespace: str
    frontend_address: OutputValue
    """Host and port of the load balancer, for clients of any kind."""
    frontend_headless_address: str
    """Host and port of a name with every balancer pod's address, for clients that balance by themselves."""
    ui_url: OutputValue
    codec_url: OutputValue
    """Where payloads are decrypted for people; empty where none are encrypted, or nobody is to."""
    temporal_namespaces: list[str]
    tenants: dict[str, TenantOutput]
    persistence: PersistenceOutput
    zones: list[str]
    components: dict[str, ComponentOutput]
    versions: dict[str, str]
    """Image reference by component."""
    is_drill_allowed: bool


def export(outputs: Outputs) -> None:
    """Hand the outputs to Pulumi."""
    for key, value in outputs.items():
        pulumi.export(key, value)


def load(stack: str) -> Outputs:
    """Read the outputs of a stack that is up.

    Args:
        stack: Name of the stack.

    Raises:
        RuntimeError: When Pulumi cannot tell them; the message is its own.
    """
    command = ["pulumi", "stack", "output", "--json", "--stack", stack, "--non-interactive"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(" ".join(result.stderr.split()) or f"{command[0]} ended with {result.returncode}")
    return parse(json.loads(result.stdout))


def parse(values: dict[str, Any]) -> Outputs:
    """Check that plain values are the outputs, none missing.

    Raises:
        RuntimeError: When one is missing, which is a stack that was never brought up whole.
    """
    if missing := sorted(Outputs.__annotations__.keys() - values.keys()):
        raise RuntimeError(f"the stack has no outputs {', '.join(missing)}: run `pulumi up` to the end first")
    return cast("Outputs", values)
