"""What a drill's file says of a zone, and the zone that it is now. Pure.

`zone of COMPONENT`: where that component's first Ready pod is; `zone without COMPONENT`: the first zone without one;
`any zone`: the first. A zone's own name is itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from load_tests.errors import LoadTestError

ANY = "any zone"
_OF, _WITHOUT = "zone of ", "zone without "
_KEYS = ("zone", "toward")
"""Parameters of faults that are zones."""
_ZONE_FAULTS = frozenset({"zone-powered-off", "zone-silent", "node-frozen", "one-way-partition"})
"""Faults that hit everything in a zone, so that nobody can be served through it."""
BALANCER = "temporal-balancer"
"""The one component whose loss a client of its zone sees directly: probes ask each zone's own."""


@dataclass(frozen=True)
class Places:
    """Where things are.

    Attributes:
        zones: Names, sorted.
        of: By component the zones of its Ready pods, in the order of the pods' names.
    """

    zones: Sequence[str]
    of: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])


def resolve(parameters: Mapping[str, str], places: Places) -> dict[str, str]:
    """Return the parameters of a fault with every zone by its name.

    Raises:
        LoadTestError: When no zone is what was asked for.
    """
    return {key: _zone(key, value, places) if key in _KEYS else value for key, value in parameters.items()}


def components_asked(parameters: Mapping[str, str]) -> list[str]:
    """Return the components whose zones `resolve` has to know."""
    texts = [value for key, value in parameters.items() if key in _KEYS]
    return sorted({text.removeprefix(_OF).removeprefix(_WITHOUT) for text in texts if _is_about(text)})


def check_selectors(parameters: Mapping[str, str]) -> None:
    """Check what is said of zones, without knowing any.

    Raises:
        LoadTestError: When a text with a space in it is none of the forms above.
    """
    for key in _KEYS:
        text = parameters.get(key, "")
        if " " in text and text != ANY and not _is_about(text):
            raise LoadTestError(
                f"{key}: {text!r} must be a zone, {ANY!r}, '{_OF}COMPONENT' or '{_WITHOUT}COMPONENT'"
            )


def hit_zones(fault: str, parameters: Mapping[str, str]) -> list[str]:
    """Return the zones whose own clients a fault cannot but hit; outages are counted in the others.

    Args:
        fault: Its name.
        parameters: As `resolve` returned them.
    """
    is_zonal = fault in _ZONE_FAULTS or parameters.get("component") == BALANCER
    return sorted({parameters[key] for key in _KEYS if key in parameters}) if is_zonal else []


def _is_about(text: str) -> bool:
    return text.startswith((_OF, _WITHOUT))


def _zone(key: str, text: str, places: Places) -> str:
    if text.startswith(_WITHOUT):
        component = text.removeprefix(_WITHOUT)
        found = [zone for zone in places.zones if zone not in places.of.get(component, ())]
    elif text.startswith(_OF):
        found = list(places.of.get(text.removeprefix(_OF), ()))
    else:
        found = [zone for zone in places.zones if text in (ANY, zone)]
    if not found:
        raise LoadTestError(f"{key}: {text!r} is nowhere; the zones are {', '.join(places.zones) or 'none'}")
    return found[0]
