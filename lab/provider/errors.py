"""The failures a plugin call can end in. Each message is one line for the person at the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.provider.values import Object, items, section, text

HTTP_NOT_FOUND, HTTP_CONFLICT, HTTP_INVALID = 404, 409, 422

LONG_VALUE = 120
"""Characters of an echoed value beyond which it is cut: the API server repeats whole pod templates, with
whatever secret environment they carry, in `Invalid value: ...`."""


class PluginError(Exception):
    """A one-line message naming what is wrong; reported to Pulumi as it stands."""


class UnreachableError(PluginError):
    """The API server, or the kubeconfig that should lead to it, cannot be reached."""


class NotReadyError(PluginError):
    """The object is not ready and will not become so: it failed, time ran out, or the wait was cancelled."""


class InitFailedError(PluginError):
    """The object exists but is not ready, so Pulumi must record it all the same.

    Args:
        object_id: the Pulumi id, `namespace/name` or `name`.
        inputs: what was asked for.
        properties: the object as the API server last showed it.
        reasons: what is not ready, then why, most important first.
    """

    def __init__(self, object_id: str, inputs: Object, properties: Object, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.object_id = object_id
        self.inputs = inputs
        self.properties = properties
        self.reasons = tuple(reasons)


class ApiError(PluginError):
    """An answer of the API server that is not a success.

    Args:
        code: HTTP status.
        status: the `Status` object of the answer, or just a `message`.
        about: what it is about, where the API server's own words do not say.
        hint: what to do about it.
    """

    def __init__(self, code: int, status: Object, about: str = "", hint: str = "") -> None:
        self.code = code
        self.status = status
        self.reason = text(status, "reason")
        self.causes = items(status, "details", "causes")
        message = cut_values(text(status, "message") or f"HTTP {code}")
        super().__init__((f"{about}: " if about else "") + message + (f"; {hint}" if hint else ""))

    @property
    def fields(self) -> tuple[str, ...]:
        """Paths of the fields the answer complains about, such as `spec.template`."""
        return tuple(field for cause in self.causes if (field := text(cause, "field")))

    @property
    def is_immutability(self) -> bool:
        """Whether the change is refused because a field cannot change at all."""
        return self.code == HTTP_INVALID and re.search(IMMUTABLE, str(self)) is not None


IMMUTABLE = (
    r"is immutable|may not be changed|may not change|[Ff]orbidden: updates to|updates to .* are forbidden"
)
"""Words the API server uses for fields that cannot change. Seen on Kubernetes 1.34."""


class NoKindError(ApiError):
    """The API server does not serve the kind (its CRD is missing, or not yet there)."""

    def __init__(self, api_version: str, kind: str) -> None:
        message = f"the API server has no kind {kind} in {api_version} (is its CRD installed?)"
        super().__init__(HTTP_NOT_FOUND, section({"s": {"message": message, "reason": "NoKind"}}, "s"))


def cut_values(message: str) -> str:
    """Shorten long values that the API server echoes, keeping the field before and the rule after each.

    Args:
        message: the API server's text, such as `spec.template: Invalid value: core.PodTemplateSpec{...}: field is immutable`.
    """

    def shorten(match: re.Match[str]) -> str:
        value = match["value"]
        return match[0] if len(value) <= LONG_VALUE else f"Invalid value: (…{len(value)} characters)"

    return re.sub(
        r"Invalid value: (?P<value>(?:\{.*\}|[\w.]+\{.*\}|\".*\"))(?=: )", shorten, message, flags=re.DOTALL
    )
