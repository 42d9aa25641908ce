"""From a stack's configuration to `Settings`: the only place that reads `pulumi.Config` or a stack file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pulumi
import pulumi.runtime.config as runtime_config
import yaml
from pydantic import ValidationError

from infra.settings.base import explain
from infra.settings.encryption import SEALED, keyring_problems
from infra.settings.root import Settings

PAYLOAD_KEYS = "payload_keys"
"""The one key whose value is a secret. It must be at the top: Pulumi shows secrets inside an object's value."""

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
    names = [key.removeprefix(prefix) for key in values if key.startswith(prefix)]
    tree = {name: _value(str(config.get(name))) for name in names if name != PAYLOAD_KEYS}
    problems: list[str] = []
    if PAYLOAD_KEYS in names:
        # In plain text it goes on as it is, to be refused like anything else that is wrong.
        is_secret = runtime_config.is_config_secret(f"{prefix}{PAYLOAD_KEYS}")
        tree[PAYLOAD_KEYS] = SEALED if is_secret else False
        problems = keyring_problems(str(config.get(PAYLOAD_KEYS))) if is_secret else []
    return parse(tree, problems=problems)


def load_payload_keys(config: pulumi.Config | None = None) -> pulumi.Output[str] | None:
    """Return the running stack's keyring as Pulumi's secret, or none where it has no such key."""
    return (config or pulumi.Config(PROJECT)).get_secret(PAYLOAD_KEYS)


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
    tree: dict[str, object] = {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }
    if PAYLOAD_KEYS in tree:
        tree[PAYLOAD_KEYS] = SEALED if _is_encrypted(tree[PAYLOAD_KEYS]) else False
    return parse(tree, stacks_dir)


def _is_encrypted(value: object) -> bool:
    """Tell whether a value of a stack file is one that Pulumi has encrypted."""
    return isinstance(value, dict) and list(cast("dict[str, object]", value)) == ["secure"]


def parse(
    tree: Mapping[str, object], stacks_dir: Path = STACKS_DIR, *, problems: Sequence[str] = ()
) -> Settings:
    """Check a settings tree of plain values.

    Args:
        tree: Value by concern. `tenants` may be the name of a file.
        stacks_dir: Folder that the file of tenants is in.
        problems: What is known to be wrong already, to be said with the rest.

    Raises:
        SettingsError: With every problem found.
    """
    problems = list(problems)
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
