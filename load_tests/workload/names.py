"""Where the load tests' own workflows run."""

from __future__ import annotations

QUEUE = "load-tests"
"""In every namespace with tenants; the tenants' own queues stay the deployments'."""
