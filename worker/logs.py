"""One JSON object per line on standard output: what a cluster's log collector wants to read."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

_TEMPORAL_KEYS = (
    "workflow_id",
    "run_id",
    "workflow_type",
    "activity_type",
    "attempt",
    "task_queue",
    "namespace",
)
"""What of the SDK's own context is worth a place in every line."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; `extra={"fields": {...}}` adds keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _temporal_context(record)
        line |= _mapping(getattr(record, "fields", None))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: int = logging.INFO) -> None:
    """Send every logger's lines to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _temporal_context(record: logging.LogRecord) -> dict[str, Any]:
    context = _mapping(getattr(record, "temporal_workflow", None)) or _mapping(
        getattr(record, "temporal_activity", None)
    )
    return {key: context[key] for key in _TEMPORAL_KEYS if key in context}


def _mapping(value: object) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
