"""The provider's options: read once, into one frozen record; what is not modelled is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from lab.provider.objects import Refusal
from lab.provider.values import UNKNOWN, Json, Object

TEXTS = ("kubeconfig", "context", "cluster", "namespace", "clusterIdentifier")
FLAGS = {
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}
"""Options that are modelled, and the variable that sets each one's default."""
ONLY = {
    "enableServerSideApply": True,
    "deleteUnreachable": False,
    "skipUpdateUnreachable": False,
    "alwaysRender": False,
}
"""Options of which one value only is modelled."""
WITHOUT_EFFECT = ("suppressDeprecationWarnings", "suppressHelmHookWarnings")
"""Options about warnings that are never given here."""
ENGINE_KEYS = ("version", "pluginDownloadURL", "pluginChecksums", "parameterization", "__internal")
REFUSED_VARIABLES = (
    "PULUMI_K8S_AWAIT_ALL",
    "PULUMI_K8S_DELETE_UNREACHABLE",
    "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
)
REPLACING = ("context", "cluster", "clusterIdentifier")
"""Options that say which cluster is meant: with another one, every object has to be made anew."""


@dataclass(frozen=True)
class Options:
    """How one provider behaves. Defaults and meanings are pulumi-kubernetes 4.34's."""

    kubeconfig: str = ""
    """Text or path; empty for `$KUBECONFIG`, else `~/.kube/config`."""
    context: str = ""
    """Empty for the kubeconfig's current one."""
    cluster: str = ""
    """Empty for the context's one."""
    namespace: str = ""
    """For objects that name none; empty for the context's one."""
    is_force: bool = False
    """Whether fields that others own are taken over instead of reported as a conflict."""
    is_upsert: bool = False
    """Whether a create may take over an object that is already there."""
    mutable_kinds: tuple[str, ...] = ()
    """Of ConfigMap and Secret, those whose data changes in place instead of by replacement."""


def flag(value: Json) -> bool | None:
    """Return the truth of an option, None where it says neither true nor false."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def unpacked(args: Object) -> Object:
    """Return the arguments with JSON-encoded members decoded: the SDK sends `true` as text."""

    def decoded(key: str, value: Json) -> Json:
        if key in TEXTS or not isinstance(value, str) or value == UNKNOWN:
            return value
        try:
            found: Json = json.loads(value)
        except ValueError:
            return value
        return found

    return {key: decoded(key, value) for key, value in args.items()}


def refusals(args: Object, environment: Mapping[str, str]) -> list[Refusal]:
    """Return every option that is wrong or not modelled."""
    found: list[Refusal] = []
    known = (*TEXTS, *FLAGS, *ONLY, *WITHOUT_EFFECT, *ENGINE_KEYS)
    for key, value in unpacked(args).items():
        if key not in known:
            reason = f"is not supported by this plugin; supported: {', '.join((*TEXTS, *FLAGS))}"
            found.append(Refusal(key, f"provider option {key} {reason}"))
        elif key in ONLY and value is not None and flag(value) is not ONLY[key]:
            right = str(ONLY[key]).lower()
            found.append(
                Refusal(key, f"provider option {key} is {value!r}: this plugin supports {right} only")
            )
        elif key in FLAGS and value not in (None, UNKNOWN) and flag(value) is None:
            found.append(Refusal(key, f"provider option {key} is {value!r}: must be true or false"))
    found += [
        Refusal("", f"the environment variable {variable} is not supported by this plugin: unset it")
        for variable in REFUSED_VARIABLES
        if flag(environment.get(variable))
    ]
    return found


def parse(args: Object, environment: Mapping[str, str]) -> Options:
    """Return the options of checked arguments; an argument wins over its environment variable."""
    given = unpacked(args)

    def is_set(key: str) -> bool:
        value = given.get(key)
        return bool(flag(environment.get(FLAGS[key]) if value is None else value))

    kinds = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}
    texts = {key: str(given.get(key) or "") for key in ("kubeconfig", "context", "cluster", "namespace")}
    return Options(
        **texts,
        is_force=is_set("enablePatchForce"),
        is_upsert=is_set("upsertExistingObjects"),
        mutable_kinds=tuple(kind for kind, key in kinds.items() if is_set(key)),
    )
