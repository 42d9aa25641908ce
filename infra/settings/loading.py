"""From a stack's configuration to `Settings`: the only place that reads `pulumi.Config` or a stack file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pulumi
import pulumi.runtime.config as runtime_config
import yaml
from pydantic import ValidationError

from infra.settings.base import explain
from infra.settings.root import Settings

PROJECT = "routerfleet"
"""Name of the Pulumi project, which prefixes every key of ours in a stack file."""

STACKS_DIR = Path(__file__).resolve().parent.parent.parent / "stacks"
"""Folder of the stack files (`stackConfigDir` of Pulumi.yaml)."""


class SettingsError(ValueError):
    """The configuration is wrong; the message has one line per problem, each naming key, value and rule."""


def load(config: pulumi.Config | None = None) -> Settings:
    """Read the running stack's settings.

    Args:
        config: The configuration of this project. Default: the running program's.

    Raises:
        SettingsError: With every problem found.
    """
    config = config or pulumi.Config(PROJECT)
    # All keys, not only the known ones: `pulumi.Config` cannot list them, and a misspelt one must be refused.
    values = runtime_config.get_config_env() | runtime_config.CONFIG.get()
    prefix = f"{config.name}:"
    names = (key.removeprefix(prefix) for key in values if key.startswith(prefix))
    return parse({name: _value(str(config.get(name))) for name in names})


def load_stack(stack: str, stacks_dir: Path = STACKS_DIR) -> Settings:
    """Read a stack's settings from its file, without Pulumi.

    Args:
        stack: Name of the stack, for example `local`.
        stacks_dir: Folder of the stack files.

    Raises:
        SettingsError: When there is no such stack, its file is not YAML, or with every problem found in it.
    """
    path = stacks_dir / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = sorted(found.name.split(".")[1] for found in stacks_dir.glob("Pulumi.*.yaml"))
        raise SettingsError(f"there is no stack {stack!r}; known stacks: {', '.join(known) or 'none'}")
    try:
        document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not YAML: {_one_line(error)}") from error
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):  # pyright: ignore[reportUnknownMemberType]  # YAML is untyped
        raise SettingsError(f"{path.name} must hold an object `config` with keys `{PROJECT}:...`")
    config = cast("dict[str, dict[str, object]]", document)["config"]
    prefix = f"{PROJECT}:"
    tree = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    return parse(tree, stacks_dir)


def parse(tree: Mapping[str, object], stacks_dir: Path = STACKS_DIR) -> Settings:
    """Check a settings tree of plain values.

    Args:
        tree: Value by concern. `tenants` may be the name of a file.
        stacks_dir: Folder that the file of tenants is in.

    Raises:
        SettingsError: With every problem found.
    """
    problems: list[str] = []
    values = dict(tree)
    if isinstance(tenants := values.get("tenants"), str):
        try:
            values["tenants"] = _read_tenants(stacks_dir / tenants)
        except SettingsError as error:
            problems.append(str(error))
            values["tenants"] = []
    try:
        # Through JSON, where strict mode still takes a list for a tuple.
        settings = Settings.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise SettingsError("\n".join([*problems, *explain(error, Settings)])) from error
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        # The command line hands a plain text on without quotes.
        return text


def _read_tenants(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"tenants: cannot read {path.name} in {path.parent.name}/: {error.strerror}"
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"tenants: {path.name} is not YAML: {_one_line(error)}") from error


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())
