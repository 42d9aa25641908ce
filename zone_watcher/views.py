"""A vote as JSON, as watchers tell it to each other. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from zone_watcher.model import Silence, Vote


def dump(vote: Vote) -> str:
    """Return a vote as text."""
    silences = {
        zone: {"seconds": round(found.seconds, 3), "kinds": sorted(found.kinds)}
        for zone, found in sorted(vote.silences.items())
    }
    return json.dumps({"zone": vote.zone, "age_seconds": round(vote.age_seconds, 3), "silences": silences})


def load(text: str | bytes) -> Vote | None:
    """Return the vote that a text tells; None where it tells none."""
    try:
        value = cast("Mapping[str, Any]", json.loads(text))
        silences = cast("Mapping[str, Mapping[str, Any]]", value["silences"])
        return Vote(
            zone=str(value["zone"]),
            silences={
                zone: Silence(float(found["seconds"]), frozenset(map(str, found["kinds"])))
                for zone, found in silences.items()
            },
            age_seconds=float(value["age_seconds"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
