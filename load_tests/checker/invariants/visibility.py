"""Visibility has converged: per tenant it lists exactly the store's runs, with their status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations, VisibleRun
from load_tests.models import Operation, Outcome

NAME = "visibility"

_NAMED_MAX = 3
"""Runs that a finding names."""


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Compare the lists of every tenant."""
    if observations.visible is None:
        return Judgement.of(NAME, "tenants", 0, ())
    tenants = {
        (operation.namespace, operation.workflow_id): operation.tenant
        for operation in operations
        if operation.outcome is not Outcome.NOT_SENT
        and not observations.is_unread(operation.namespace, operation.workflow_id)
    }
    stored = (VisibleRun(run.target, run.status) for run in observations.runs.values())
    expected = _by_tenant(stored, tenants)
    visible = _by_tenant(observations.visible, tenants)
    names = sorted(set(tenants.values()))
    problems = [
        (f"tenant {name}", _difference(visible.get(name, set()), expected.get(name, set())))
        for name in names
        if visible.get(name, set()) != expected.get(name, set())
    ]
    return Judgement.of(NAME, "tenants", len(names), problems)


def _by_tenant(rows: Iterable[VisibleRun], tenants: dict[tuple[str, str], str]) -> dict[str, set[VisibleRun]]:
    """Return the rows of each tenant; runs of other workflow ids, such as children, are nobody's."""
    found: dict[str, set[VisibleRun]] = {}
    for row in rows:
        tenant = tenants.get((row.target.namespace, row.target.workflow_id))
        if tenant is not None:
            found.setdefault(tenant, set()).add(row)
    return found


def _difference(visible: set[VisibleRun], expected: set[VisibleRun]) -> str:
    wrong = sorted(visible ^ expected, key=lambda row: row.target)
    named = ", ".join(str(row.target) for row in wrong[:_NAMED_MAX])
    more = f" and {len(wrong) - _NAMED_MAX} more" if len(wrong) > _NAMED_MAX else ""
    return f"lists {len(visible)} runs, should be {len(expected)}; they differ in {named}{more}"
