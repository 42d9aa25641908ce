"""Where the lab keeps things on disk, outside every checkout.

Caches can be deleted at any time and are rebuilt. State belongs to the running lab and goes with `down`.
Both follow the XDG base directory specification and can be moved by one variable each.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the folder of built tools and images: `ROUTERFLEET_CACHE`, else `$XDG_CACHE_HOME/routerfleet`."""
    if override := os.environ.get("ROUTERFLEET_CACHE"):
        return Path(override).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "routerfleet"


def state_dir() -> Path:
    """Return the folder of the lab's state: `ROUTERFLEET_STATE`, else `$XDG_STATE_HOME/routerfleet`."""
    if override := os.environ.get("ROUTERFLEET_STATE"):
        return Path(override).absolute()
    return (
        Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute() / "routerfleet"
    )


def checkout_dir() -> Path:
    """Return the root of the checkout this code runs from."""
    return Path(__file__).resolve().parent.parent
