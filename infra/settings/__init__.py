"""Typed settings of a stack. `Settings` is the root; `load` and `load_stack` are the two ways to one.

Nothing else in the project reads `pulumi.Config`. Models hold plain values and do no I/O.
"""

from infra.settings.loading import (
    PROJECT,
    STACKS_DIR,
    SettingsError,
    load,
    load_payload_keys,
    load_stack,
    parse,
)
from infra.settings.root import Settings

__all__ = [
    "PROJECT",
    "STACKS_DIR",
    "Settings",
    "SettingsError",
    "load",
    "load_payload_keys",
    "load_stack",
    "parse",
]
