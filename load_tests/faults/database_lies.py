"""A database that lies: it carries out writes and then says that they timed out.

By Temporal's own fault injection, which wraps the stores inside the server (server 1.32.1,
`common/persistence/faultinjection`; example `config/development-cass-es-fi.yaml`). It is part of the static
configuration, so the servers restart into the fault and out of it; the outage to be judged lies between.
"""

from __future__ import annotations

import json
import random
import re
import time

from load_tests.errors import LoadTestError
from load_tests.faults.fault import Effect, Fault, until
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import Target

CONFIG = "temporal-server"
"""ConfigMap of the servers' static configuration."""
CONFIG_KEY = "server.yaml"
SERVICES = ("temporal-history", "temporal-matching", "temporal-frontend")
"""The deployments that read and write the store of executions."""
HISTORY = "temporal-history"
METRICS_PORT = 9090
METRIC = "persistence_error_with_type"
ERROR_TYPE = "TimeoutError"
METHODS = ("CreateWorkflowExecution", "UpdateWorkflowExecution", "AppendHistoryNodes")
DATABASE = re.compile(r"^(?P<indent> +)default:\n", re.MULTILINE)
"""The entry of the default store; the one below `datastores`."""
ROLLOUT_SECONDS = 300
PROOF_SECONDS = 60.0


class DatabaseLies(Fault):
    """A share of the writes of executions is carried out and reported as timed out."""

    name = "database-lies"

    def __init__(self, target: Target, journal: Journal, *, rate: float = 0.02) -> None:
        """Say how often.

        Args:
            target: Where.
            journal: Of the run.
            rate: Share of the writes, above 0 and up to 0.5: a workflow makes about ten.
        """
        super().__init__(target, journal)
        if not 0 < rate <= 0.5:
            raise LoadTestError(f"rate: {rate} is no share of the writes above 0 and up to 0.5, such as 0.02")
        self.rate = rate

    def describe(self) -> str:
        """Name the share."""
        return f"database lies about {self.rate:.0%} of its writes"

    def _prepare(self) -> Undo:
        before = self._target.get("configmap", CONFIG, "-n", self._target.namespace)["data"][CONFIG_KEY]
        if "faultInjection" in before:
            raise LoadTestError(f"{CONFIG}: its configuration injects faults already: heal first")
        self._write("lie", with_faults(before, self.rate, random.SystemRandom().randrange(1, 2**31)))
        self._write("truth", before)
        return [self._patch("truth"), *self._restarts(), *self._waits()]

    async def _inject(self) -> Effect:
        for command in (self._patch("lie"), *self._restarts(), *self._waits()):
            await self._change(*command)
        at = time.time()
        await until(
            lambda: self._lies() > 0, "a write reported as timed out (is there any load?)", PROOF_SECONDS
        )
        return Effect(at, f"{self._lies()} writes reported as timed out so far")

    def _write(self, name: str, text: str) -> None:
        """Keep a version of the configuration with the journal, so that it can be put back without this process."""
        (self._folder / f"{CONFIG}.{name}.json").write_text(json.dumps({"data": {CONFIG_KEY: text}}))

    def _patch(self, name: str) -> list[str]:
        file = self._folder.absolute() / f"{CONFIG}.{name}.json"
        return [*self._kubectl("patch", "configmap", CONFIG), "--type=merge", f"--patch-file={file}"]

    def _restarts(self) -> list[list[str]]:
        return [self._kubectl("rollout", "restart", f"deployment/{name}") for name in SERVICES]

    def _waits(self) -> list[list[str]]:
        return [
            [*self._kubectl("rollout", "status", f"deployment/{name}"), f"--timeout={ROLLOUT_SECONDS}s"]
            for name in SERVICES
        ]

    def _kubectl(self, *words: str) -> list[str]:
        return [*self._target.kubectl, *words, "-n", self._target.namespace]

    def _lies(self) -> int:
        place = f"/api/v1/namespaces/{self._target.namespace}/pods"
        return sum(
            lies(
                self._target.run(
                    "get", "--raw", f"{place}/{pod['metadata']['name']}:{METRICS_PORT}/proxy/metrics"
                )
            )
            for pod in self._target.pods(HISTORY)
        )


def with_faults(config: str, rate: float, seed: int) -> str:
    """Return the configuration with faults injected into its default store; the text is a template, not YAML.

    Raises:
        LoadTestError: There is no default store in it.
    """
    at = config.find("\n  datastores:\n")
    found = DATABASE.search(config, at) if at >= 0 else None
    if found is None:
        raise LoadTestError(
            f"{CONFIG}: its configuration has no persistence.datastores.default to inject faults into"
        )
    lines = ["faultInjection:", "  targets:", "    dataStores:", "      ExecutionStore:", "        methods:"]
    for method in METHODS:
        lines += [f"          {method}:", f"            seed: {seed}", "            errors:",
                  f"              ExecuteAndTimeout: {rate}"]  # fmt: skip
    indent = found["indent"] + "  "
    block = "".join(f"{indent}{line}\n" for line in lines)
    return config[: found.end()] + block + config[found.end() :]


def lies(metrics: str) -> int:
    """Return how many time-outs of the store a server has counted, from its metrics as Prometheus reads them."""
    rows = [line for line in metrics.splitlines() if line.startswith(METRIC) and ERROR_TYPE in line]
    return sum(int(float(row.rsplit(" ", 1)[1])) for row in rows)
