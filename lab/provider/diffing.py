"""What changes between the inputs in the state and the program's, and whether that takes a new object."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.provider import objects, replacement
from lab.provider.api import Api
from lab.provider.errors import HTTP_CONFLICT, HTTP_INVALID, HTTP_NOT_FOUND, ApiError
from lab.provider.options import Options
from lab.provider.values import Change, Object, differences, has_unknown, section, text

PROBE_NAME_LENGTH = 50
"""Characters kept of a name that is tried with a suffix: every kind takes names of 63."""


@dataclass(frozen=True)
class Diff:
    """The answer to the engine's question what an update will do."""

    changes: dict[str, Change]
    """Changed property paths."""
    replaces: tuple[str, ...] = ()
    """Those of them that take a new object."""
    is_delete_first: bool = False
    """Whether the old object must go first, because the new one has its name."""


async def diff(
    api: Api | None, options: Options, urn: str, old: Object, old_inputs: Object, inputs: Object
) -> Diff:
    """Compare inputs; where Kubernetes' own kinds change, ask the API server whether it takes the change in place.

    Args:
        api: None while the provider's own configuration is not known yet.
        options: the provider's options.
        urn: the resource.
        old: the outputs in the state.
        old_inputs: the inputs in the state.
        inputs: the checked inputs of the program.
    """
    changes = differences(old_inputs, inputs)
    if not changes:
        return Diff({})
    before, after = objects.identity(old_inputs), objects.identity(inputs)
    if not before.namespace:
        # Filled in later than the name: its CRD was not there yet when the object was declared.
        before = replace(before, namespace=text(old, "metadata", "namespace"))
    if before != after:
        moved = tuple(path for path in changes if replacement.below(path, replacement.IDENTITY_PATHS))
        return Diff(changes, moved)
    replaces = tuple(replacement.ruled(inputs, changes, options.mutable_kinds))
    if not replaces and api is not None and replacement.may_ask(inputs) and not has_unknown(inputs):
        manager = objects.field_manager(urn, inputs, old)
        replaces = await refused(api, manager, inputs, tuple(changes))
    return Diff(changes, replaces, bool(replaces) and not objects.is_autonamed(inputs))


async def refused(api: Api, manager: str, inputs: Object, changed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the changed paths that the API server refuses to change in place, but would take in a new object.

    Raises:
        ApiError: the inputs are wrong in themselves.
    """
    wanted = objects.desired(inputs)
    try:
        await api.apply(await api.path(wanted), wanted, manager, is_forced=True, is_dry_run=True)
    except ApiError as error:
        if error.code in (HTTP_NOT_FOUND, HTTP_CONFLICT):
            return ()  # its namespace is to come; or others own a field, which the update will say
        if not error.is_immutability and not await is_valid_elsewhere(api, error, manager, wanted):
            raise
        named = tuple(path for path in changed if replacement.below(path, error.fields))
        return named or changed
    return ()


async def is_valid_elsewhere(api: Api, error: ApiError, manager: str, wanted: Object) -> bool:
    """Tell whether what is refused as an update is fine as a new object: then it is the change that is refused.

    Needed where the API server's words do not say "immutable", such as RoleBinding's "cannot change roleRef".
    """
    if error.code != HTTP_INVALID:
        return False
    metadata = section(wanted, "metadata")
    name = f"{text(metadata, 'name')[:PROBE_NAME_LENGTH]}-probe"
    other: Object = {**wanted, "metadata": {**metadata, "name": name}}
    try:
        await api.apply(await api.path(other), other, manager, is_dry_run=True)
    except ApiError:
        return False
    return True
