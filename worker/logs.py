"""One JSON object per line on standard output: what a cluster's log collector wants to read."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from temporalio import activity, workflow

from worker.encryption.redaction import ExceptionInfo, format_without_messages
from worker.tenancy import tenant_of_workflow_id

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


class ContextFilter(logging.Filter):
    """Notes whose activity or workflow a line was written in, whichever logger wrote it.

    On the handler, and so run where the line is written: nobody has to remember to use the SDK's loggers.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add `context` to the record; let every record through."""
        record.context = _context()
        return True


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; `extra={"fields": {...}}` adds keys."""

    def __init__(self, *, hides_messages: bool = False) -> None:
        super().__init__()
        self._hides_messages = hides_messages

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - the base class's name
        """Return the exception's text, without the messages where payloads are encrypted."""
        return format_without_messages(ei) if self._hides_messages else super().formatException(ei)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _temporal_context(record)
        line |= _mapping(getattr(record, "context", None))
        line |= _mapping(getattr(record, "fields", None))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: int = logging.INFO, *, hides_messages: bool = False) -> None:
    """Send every logger's lines to standard output as JSON.

    Args:
        level: The least that is logged.
        hides_messages: Leave the messages of exceptions out: set where payloads are encrypted.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(hides_messages=hides_messages))
    handler.addFilter(ContextFilter())
    # The context is in keys of its own; without this the SDK's loggers add it to the message too.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _context() -> dict[str, str]:
    """Return tenant, workflow and run of the code that runs here; empty outside of activities and workflows."""
    if activity.in_activity():
        workflow_id, run_id = activity.info().workflow_id or "", activity.info().workflow_run_id or ""
    elif workflow.in_workflow():
        workflow_id, run_id = workflow.info().workflow_id, workflow.info().run_id
    else:
        return {}
    keys = {"tenant": tenant_of_workflow_id(workflow_id) or "", "workflow_id": workflow_id, "run_id": run_id}
    return {key: value for key, value in keys.items() if value}


def _temporal_context(record: logging.LogRecord) -> dict[str, Any]:
    context = _mapping(getattr(record, "temporal_workflow", None)) or _mapping(
        getattr(record, "temporal_activity", None)
    )
    return {key: context[key] for key in _TEMPORAL_KEYS if key in context}


def _mapping(value: object) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
