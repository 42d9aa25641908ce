"""What a resource's inputs say: its identity, its annotations, the object to apply, and what is refused.

Annotation names and meanings are pulumi-kubernetes'. Source: provider/pkg/metadata of pulumi/pulumi-kubernetes, v4.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from lab.provider import waitfor, wire
from lab.provider.values import UNKNOWN, Json, Object, at, section, text

PREFIX = "pulumi.com/"
AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
WAIT_FOR = "pulumi.com/waitFor"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
PATCH_FORCE = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER = "pulumi.com/patchFieldManager"
UNDERSTOOD = (AUTONAMED, SKIP_AWAIT, TIMEOUT_SECONDS, WAIT_FOR, PROPAGATION, PATCH_FORCE, PATCH_FIELD_MANAGER)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

FIELD_MANAGER = "__fieldManager"
"""Output in which the state keeps who applied the object, as pulumi-kubernetes does."""
MANAGER_PREFIX = "pulumi-kubernetes-"

PROPAGATIONS = {"foreground": "Foreground", "background": "Background", "orphan": "Orphan"}
UNMODELLED_AWAITS = {("networking.k8s.io", "Ingress"), ("", "ReplicationController"), ("apps", "ReplicaSet")}
DELETE_MAY_SKIP_AWAIT = {
    ("", "Namespace"), ("", "Pod"), ("apps", "DaemonSet"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("batch", "Job"),
}  # fmt: skip
"""Kinds whose delete honours skipAwait. Source: provider/pkg/metadata/overrides.go, allowsSkipAwaitWithDelete."""

GENERATED_NAME_LENGTH = 253
"""Longest object name the API server takes."""


@dataclass(frozen=True)
class Identity:
    """What makes an object this object; a change of any part means another object."""

    group: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Refusal:
    """One input that is refused, and why."""

    path: str
    reason: str


def group_of(obj: Object) -> str:
    """Return the API group, empty for the core group."""
    return text(obj, "apiVersion").rpartition("/")[0]


def kind_of(obj: Object) -> tuple[str, str]:
    """Return API group and kind."""
    return group_of(obj), text(obj, "kind")


def identity(obj: Object) -> Identity:
    """Return group, kind, namespace and name; the API version is only a way to look at the object."""
    return Identity(*kind_of(obj), text(obj, "metadata", "namespace"), text(obj, "metadata", "name"))


def object_id(obj: Object) -> str:
    """Return the Pulumi id: `namespace/name`, or `name` for a cluster-wide object."""
    namespace, name = text(obj, "metadata", "namespace"), text(obj, "metadata", "name")
    return f"{namespace}/{name}" if namespace else name


def label(obj: Object) -> str:
    """Return kind and id as messages name an object."""
    return f"{text(obj, 'kind')} {object_id(obj)}"


def annotation(obj: Object, name: str) -> str:
    """Return an annotation's text, empty where it is missing."""
    value = section(obj, "metadata", "annotations").get(name)
    return "" if value is None else str(value)


def is_annotated(obj: Object, name: str) -> bool:
    """Tell whether an annotation says true."""
    return annotation(obj, name).lower() == "true"


def is_autonamed(obj: Object) -> bool:
    """Tell whether the name was generated, so that a replacement gets a new one."""
    return is_annotated(obj, AUTONAMED)


def secret_text(inputs: Object) -> dict[str, str]:
    """Return the clear-text members of a Secret, by key."""
    return {key: str(value) for key, value in section(inputs, "stringData").items()}


def desired(inputs: Object) -> Object:
    """Return the object to apply.

    `status` belongs to controllers. `stringData` is write-only on the API server and would never converge, so that it
    goes into `data`.
    """
    wanted = {key: value for key, value in inputs.items() if key != "status"}
    if kind_of(wanted) != ("", "Secret") or "stringData" not in wanted:
        return wanted
    encoded: Object = {
        key: UNKNOWN if value == UNKNOWN else base64.b64encode(value.encode()).decode()
        for key, value in secret_text(inputs).items()
    }
    del wanted["stringData"]
    return {**wanted, "data": {**section(inputs, "data"), **encoded}}


def live_string_data(inputs: Object, live: Object) -> Object:
    """Return the clear-text members of a Secret as they are now, for the keys that were asked for."""
    data = section(live, "data")
    found: Object = {}
    for key in secret_text(inputs):
        try:
            found[key] = base64.b64decode(str(data.get(key, "")), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            found[key] = str(data.get(key))
    return {key: value for key, value in found.items() if key in data}


def protect_secret(properties: Object) -> Object:
    """Mark a Secret's contents, so that they are encrypted in the state however the program spelled them."""
    if kind_of(properties) != ("", "Secret"):
        return properties
    return {
        key: wire.secret(value) if key in ("data", "stringData") else value
        for key, value in properties.items()
    }


def outputs(inputs: Object, live: Object, manager: str) -> Object:
    """Return what the state keeps of a live object."""
    metadata = {key: value for key, value in section(live, "metadata").items() if key != "managedFields"}
    if kind_of(live) == ("", "Secret") and isinstance(notes := metadata.get("annotations"), dict):
        metadata["annotations"] = {key: value for key, value in notes.items() if key != LAST_APPLIED}
    found: Object = {**live, "metadata": metadata, FIELD_MANAGER: manager}
    if "stringData" in inputs:
        found["stringData"] = inputs["stringData"]
    return protect_secret(found)


def field_manager(urn: str, inputs: Object, old: Object) -> str:
    """Return the name under which the object's fields are owned.

    One name per resource, not per stack: a resource that was renamed without an alias must not silently take over the
    object of the old one, which Pulumi then deletes.

    Args:
        urn: the resource; the name is derived from it, so that an interrupted create is recognised by the next one.
        inputs: may name a manager by annotation.
        old: the outputs in the state, which keep the manager across a changed URN (alias).
    """
    derived = MANAGER_PREFIX + hashlib.sha256(urn.encode()).hexdigest()[:8]
    return annotation(inputs, PATCH_FIELD_MANAGER) or text(old, FIELD_MANAGER) or derived


def managers(live: Object) -> set[str]:
    """Return who owns fields of a live object."""
    found = at(live, "metadata", "managedFields")
    return (
        {text(entry, "manager") for entry in found if isinstance(entry, dict)}
        if isinstance(found, list)
        else set()
    )


def generated_name(name: str, seed: bytes) -> str:
    """Return a name of the same shape as pulumi-kubernetes': the resource's name and eight hex digits."""
    return f"{name[: GENERATED_NAME_LENGTH - 9]}-{seed.hex()[:8]}".lower()


def refusals(type_token: str, inputs: Object) -> list[Refusal]:
    """Return everything in the inputs that is wrong or not modelled, all at once."""
    kind = text(inputs, "kind")
    declared = type_token.rpartition(":")[2]
    if type_token.startswith(("kubernetes:helm.sh", "kubernetes:kustomize")):
        return [Refusal("", f"{type_token} is not supported by this plugin: declare the objects themselves")]
    if not kind or not text(inputs, "apiVersion"):
        return [Refusal("kind", "apiVersion and kind are required")]
    if declared != kind:
        return [
            Refusal(
                "kind", f"{declared} resources are not supported by this plugin: declare the {kind} itself"
            )
        ]
    if kind.endswith("List") and "items" in inputs:
        return [Refusal("kind", f"{kind} is not supported by this plugin: declare each item as a resource")]
    if not isinstance(inputs.get("metadata") or {}, dict):
        return [Refusal("metadata", "must be an object")]
    found = annotation_refusals(inputs)
    if text(inputs, "metadata", "generateName"):
        found.append(
            Refusal(
                "metadata.generateName", "is not supported by this plugin: leave metadata.name away instead"
            )
        )
    if (
        kind_of(inputs) in UNMODELLED_AWAITS
        and not is_annotated(inputs, SKIP_AWAIT)
        and not annotation(inputs, WAIT_FOR)
    ):
        reason = (
            f'waiting for {kind} is not supported by this plugin: set the annotation {SKIP_AWAIT}: "true"'
        )
        found.append(Refusal("kind", reason))
    return found


def annotation_refusals(inputs: Object) -> list[Refusal]:
    """Return what is wrong with the `pulumi.com/` annotations."""
    found: list[Refusal] = []
    for name, value in section(inputs, "metadata", "annotations").items():
        if name.startswith(PREFIX) and value != UNKNOWN and (wrong := annotation_fault(name, value)):
            found.append(Refusal(f'metadata.annotations["{name}"]', wrong))
    return found


def annotation_fault(name: str, value: Json) -> str:
    """Return what is wrong with one `pulumi.com/` annotation, empty if nothing is."""
    spelled = str(value).lower()
    if name not in UNDERSTOOD:
        return f"is not supported by this plugin; supported: {', '.join(UNDERSTOOD)}"
    if name in (SKIP_AWAIT, PATCH_FORCE, AUTONAMED) and spelled not in ("true", "false"):
        return f'is {value!r}: must be "true" or "false"'
    if name == TIMEOUT_SECONDS and not spelled.isdecimal():
        return f"is {value!r}: must be a whole number of seconds"
    if name == PROPAGATION and spelled not in PROPAGATIONS:
        return f"is {value!r}: must be one of {', '.join(PROPAGATIONS)}"
    if name == WAIT_FOR:
        try:
            waitfor.parse(str(value))
        except ValueError as error:
            return str(error)
    return ""
