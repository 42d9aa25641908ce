"""Pure but for reading files: what was typed, to a request that can be deployed, or one line why not."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.cli.options import INVENTORY_FILE
from worker.errors import RouterError, UsageError
from worker.models.deployment import CheckSpec
from worker.routers.driver import BGP_SESSION, CONFIGURATION, INTERFACE, ROUTE
from worker.routers.drivers import SIMULATED
from worker.routers.inventory import Inventory
from worker.routers.rendering import render
from worker.tenancy import Tenant

_CHECKS = (BGP_SESSION, CONFIGURATION, INTERFACE, ROUTE)
_VARIABLE = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
"""What `string.Template` takes for a name after `$`."""


def read_text(option: str, path: Path) -> str:
    """Return a file's text.

    Raises:
        UsageError: When it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{option}: {path}: is not UTF-8 text: {error}") from error


def parse_variables(assignments: Sequence[str]) -> dict[str, str]:
    """Return the variables of `name=value` assignments.

    Raises:
        UsageError: When one is anything else, or a name comes twice.
    """
    variables: dict[str, str] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or not _VARIABLE.fullmatch(name):
            raise UsageError(f"--var: {assignment!r} must be NAME=VALUE, for example hostname=mad-1")
        if name in variables:
            raise UsageError(f"--var: {name!r} is given twice")
        variables[name] = value
    return variables


def parse_checks(specifications: Sequence[str]) -> tuple[CheckSpec, ...]:
    """Return the checks of `kind=target` specifications.

    Raises:
        UsageError: When a kind is not known or lacks its target.
    """
    checks: list[CheckSpec] = []
    for specification in specifications:
        kind, _, target = specification.partition("=")
        if kind not in _CHECKS:
            raise UsageError(f"--check: kind {kind!r} is none of {', '.join(_CHECKS)}")
        if not target and kind != CONFIGURATION:
            raise UsageError(f"--check: {specification!r} must be {kind}=TARGET")
        checks.append(CheckSpec(kind, target))
    return tuple(checks)


def refuse_unrendered(router: str, template: str, variables: Mapping[str, str], platform: str) -> None:
    """Refuse what the workflow would refuse later.

    Raises:
        UsageError: When the template does not render with the variables.
    """
    try:
        render(router, template, variables, platform)
    except RouterError as error:
        raise UsageError(f"--template: {error}") from error


def place(tenant: Tenant, router: str, site: str | None, platform: str | None) -> tuple[str, str]:
    """Return a router's site and platform: as given, else as the inventory has them, else none and simulated.

    Raises:
        UsageError: When the inventory cannot be read, or has the router as another tenant's or platform's.
    """
    path = os.environ.get(INVENTORY_FILE)
    record = Inventory.load(Path(path)).find(router) if path else None
    if record is None:
        return site or "", platform or SIMULATED
    if record.tenant != tenant.name:
        raise UsageError(f"router {router!r}: belongs to tenant {record.tenant}, not {tenant.name}")
    if platform not in {None, record.platform}:
        raise UsageError(f"--platform: router {router!r} is of platform {record.platform}, not {platform}")
    return site or record.site, record.platform


def login_name() -> str:
    """Return who runs the command, by the operating system; empty when it does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
