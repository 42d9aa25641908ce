"""A copy of the Pulumi project with stack files of its own, so that the checkout's stay as they are."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.live.conftest import ROOT

Tree = dict[str, Any]
"""Settings by concern, as below `routerfleet:` in a stack file."""


class Project:
    """Pulumi with the same program, in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        (folder / "stacks").mkdir(parents=True)
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        for name in ("infra", ".venv"):
            (folder / name).symlink_to(ROOT / name)

    def write(self, stack: str, *changes: Callable[[Tree], object], like: str = "local") -> None:
        """Write a stack's file: that of the checkout's stack `like`, changed."""
        document = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{like}.yaml").read_text())
        tree = {key.removeprefix("routerfleet:"): value for key, value in document["config"].items()}
        for change in changes:
            change(tree)
        document["config"] = {f"routerfleet:{key}": value for key, value in tree.items()}
        self.file(stack).write_text(yaml.safe_dump(document))

    def file(self, stack: str) -> Path:
        return self.folder / "stacks" / f"Pulumi.{stack}.yaml"

    def pulumi(
        self, stack: str, *arguments: str, stdin: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run Pulumi on a stack; its code and what it said."""
        return subprocess.run(
            ["pulumi", *arguments, "-s", stack, "--non-interactive"], cwd=self.folder, env=self.environment,
            input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
