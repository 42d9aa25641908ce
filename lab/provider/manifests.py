"""The function behind `kubernetes.yaml.ConfigGroup` and `ConfigFile` (yaml v1): YAML text to objects."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from lab.provider.errors import PluginError
from lab.provider.values import Json, Object, items, text


class PlainLoader(yaml.SafeLoader):
    """Reads what JSON can hold: a date stays the text it is written as, as in Kubernetes' own reader."""

    yaml_implicit_resolvers = {  # noqa: RUF012 -- the base class's way of configuring it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


DECODE = "kubernetes:yaml:decode"


def decode(document: str, default_namespace: str = "") -> list[Object]:
    """Return the objects of a manifest, lists unfolded.

    Args:
        document: one or more YAML documents.
        default_namespace: not supported, since only the API server knows which kinds have one.

    Raises:
        PluginError: it is not YAML, or an entry is not an object.
    """
    if default_namespace:
        raise PluginError(
            f"defaultNamespace {default_namespace!r} is not supported by this plugin: name it in the YAML"
        )
    try:
        documents: Iterable[Json] = list(yaml.load_all(document, Loader=PlainLoader))
    except yaml.YAMLError as error:
        raise PluginError(f"the manifest is not YAML: {' '.join(str(error).split())[:200]}") from error
    found: list[Object] = []
    for entry in documents:
        if entry in (None, {}, []):
            continue
        if not isinstance(entry, dict):
            raise PluginError(f"the manifest holds {str(entry)[:60]!r} where an object should be")
        found += (
            items(entry, "items") if text(entry, "kind").endswith("List") and "items" in entry else [entry]
        )
    return found
