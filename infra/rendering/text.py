"""Small helpers for rendered text: YAML in one style, and a checksum that rolls pods when it changes."""

from __future__ import annotations

import hashlib

import yaml


def to_yaml(value: object) -> str:
    """Render plain values as block-style YAML, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False, allow_unicode=True, width=110)


def checksum(*texts: str) -> str:
    """Return 12 hexadecimal digits that change when a text does."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}\0{text}".encode())
    return digest.hexdigest()[:12]
