"""One dev server for these tests."""

from __future__ import annotations

from tests.worker.conftest import temporal_address

__all__ = ["temporal_address"]
