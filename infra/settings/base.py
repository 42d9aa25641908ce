"""What every settings model shares: strictness, range types, and one-line error messages.

No file, cluster or Pulumi access lives here.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError


class Model(BaseModel):
    """A frozen record that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def at_least(minimum: int, why: str) -> AfterValidator:
    """Build a validator for a count that must not be below `minimum`.

    Args:
        minimum: Smallest count accepted.
        why: The reason, shown to the reader of the error.
    """

    def check(value: int) -> int:
        if value < minimum:
            raise PydanticCustomError(
                "too_few",
                "{value} is too few: at least {minimum} ({why})",
                {"value": value, "minimum": minimum, "why": why},
            )
        return value

    return AfterValidator(check)


ZonalReplicas = Annotated[int, at_least(3, "one per zone")]
"""Replicas of a component that must keep a majority when a zone is lost."""

PairedReplicas = Annotated[int, at_least(2, "in different zones, so that one survives")]
"""Replicas of a component that needs one survivor when a zone is lost."""

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A DNS-1123 label, as Kubernetes wants it for names."""

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A Kubernetes quantity, for example `250m` or `512Mi`."""

HostPort = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")]
"""A host name or IPv4 address and a port, for example `db.example.net:5432`."""


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Turn a validation error into one line per problem: key, value, what would be right.

    Args:
        error: What validating a whole settings tree raised.
        model: The model of that tree; its field names make suggestions for unknown keys.
    """
    return [_line(details, model) for details in error.errors(include_url=False)]


def _line(details: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in details["loc"])
    if not key:
        # A rule over the whole tree, whose message names the keys itself.
        return details["msg"]
    if details["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_known_keys(details['loc'], model)}"
    if details["type"] == "missing":
        return f"{key}: is missing"
    if details["type"] in {"too_few", "value_error"} or details["type"].startswith("routerfleet"):
        return f"{key}: {details['msg'].removeprefix('Value error, ')}"
    message = details["msg"][0].lower() + details["msg"][1:]
    return f"{key}: {_shown(details['input'])} is wrong: {message}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known_keys(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    owner: type[BaseModel] = model
    for part in loc[:-1]:
        if isinstance(part, str):
            owner = _model_of(owner.model_fields[part].annotation) or owner
    names = sorted(owner.model_fields)
    close = get_close_matches(str(loc[-1]), names, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"


def _model_of(annotation: object) -> type[BaseModel] | None:
    """Find the model inside an annotation such as `Postgres | None` or `tuple[Namespace, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_of(inner))), None)
