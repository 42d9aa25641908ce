"""kubectl against the lab, as few calls as the lab itself needs."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.errors import LabError

API_SECONDS = 60.0
FIELD_MANAGER = "routerfleet-lab"


class Kubectl:
    """Runs one kubectl with one kubeconfig."""

    def __init__(self, binary: Path, kubeconfig: Path) -> None:
        self.command = [str(binary), f"--kubeconfig={kubeconfig}", "--request-timeout=10s"]

    def try_run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run and return whatever came of it."""
        return subprocess.run(
            [*self.command, *arguments], input=stdin, capture_output=True, text=True, check=False
        )

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run and return the output.

        Raises:
            LabError: kubectl failed; carries its message.
        """
        done = self.try_run(*arguments, stdin=stdin)
        if done.returncode:
            raise LabError(f"kubectl {' '.join(arguments[:3])}: {done.stderr.strip()}")
        return done.stdout

    def wait_for_api(self) -> None:
        """Wait until the API server says that it is ready.

        Raises:
            LabError: It does not within `API_SECONDS`.
        """
        deadline = time.monotonic() + API_SECONDS
        while (done := self.try_run("get", "--raw", "/readyz")).returncode:
            if time.monotonic() > deadline:
                raise LabError(
                    f"the API server is not ready after {API_SECONDS:.0f} s: {done.stderr.strip()}"
                )
            time.sleep(0.3)

    def apply(self, objects: Sequence[dict[str, Any]]) -> None:
        """Apply objects server-side."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.run(
            "apply",
            "--server-side",
            f"--field-manager={FIELD_MANAGER}",
            "--force-conflicts",
            "-f",
            "-",
            stdin=text,
        )

    def node_readiness(self) -> dict[str, tuple[str, str]]:
        """Return status and message of every node's Ready condition; empty while the API does not answer."""
        readiness: dict[str, tuple[str, str]] = {}
        for item in self._items("nodes"):
            for condition in item["status"].get("conditions", []):
                if condition["type"] == "Ready":
                    readiness[item["metadata"]["name"]] = (condition["status"], condition["message"])
        return readiness

    def node_renewals(self) -> dict[str, dt.datetime]:
        """Return when each node's kubelet last renewed its lease; empty while the API does not answer."""
        return {
            item["metadata"]["name"]: dt.datetime.fromisoformat(item["spec"]["renewTime"])
            for item in self._items("leases", "--namespace=kube-node-lease")
        }

    def _items(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.try_run("get", *arguments, "-o", "json")
        return json.loads(done.stdout)["items"] if done.returncode == 0 else []
