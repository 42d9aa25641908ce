"""`python -m infra.up -s STACK`: bring a stack up, run the six deployments on it, say what to try next.

What `make up` does once there is a cluster: one stack at a time in one Pulumi backend, `pulumi up`, then the
demo inside the cluster and through its load balancer. Typing `pulumi up -s STACK` instead is as good.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from infra import manifests, names, outputs
from infra.outputs import Outputs
from infra.settings import PROJECT, SettingsError, load_stack
from worker.tenancy import SHARED_POOL


class UpError(Exception):
    """A one-line message that says what is in the way and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 refused, otherwise that of the step that failed."""
    args = _parser().parse_args(arguments)
    try:
        load_stack(args.stack)
        if args.check_only:
            return 0
        result = bring_up(args.stack, may_destroy=args.switch)
        if not args.no_demo:
            run_demo(result)
    except (UpError, SettingsError, RuntimeError) as error:
        for line in str(error).splitlines():
            print(f"up: {line}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        print("up: interrupted; run it again, it goes on where it was", file=sys.stderr)
        return 130
    print(closing_words(args.stack, result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.up", description=__doc__)
    parser.add_argument("-s", "--stack", default="local", help="stack to bring up (default: local)")
    parser.add_argument(
        "--switch", action="store_true", help="destroy another stack that is up, without asking"
    )
    parser.add_argument("--no-demo", action="store_true", help="leave the six deployments out")
    parser.add_argument(
        "--check-only",
        action="store_true",
        help="only see that the stack exists and its settings are right; needs neither pulumi nor a cluster",
    )
    return parser


def bring_up(stack: str, *, may_destroy: bool) -> Outputs:
    """Bring the stack up, alone in its backend, whatever an earlier update that was killed left behind.

    Raises:
        UpError: When a tool is missing, or another stack is up and must not be destroyed.
    """
    for tool in ("pulumi", "kubectl"):
        if shutil.which(tool) is None:
            raise UpError(f'{tool} is not on PATH: run eval "$(.venv/bin/python -m lab env)" first')
    manifests.fetch(manifests.CLOUDNATIVE_PG)
    make_way(stack, may_destroy=may_destroy)
    recover(stack)
    call("pulumi", "up", "-s", stack, "--yes", "--skip-preview", "--suppress-outputs")
    return outputs.load(stack)


def make_way(stack: str, *, may_destroy: bool) -> None:
    """See that no other stack is up in this backend, and that this one exists.

    Raises:
        UpError: Another one is up and must not be destroyed.
    """
    listed = cast("list[dict[str, Any]]", json.loads(ask("pulumi", "stack", "ls", "--json")))
    others = [row["name"] for row in listed if row.get("resourceCount") and row["name"] != stack]
    if others and not may_destroy:
        raise UpError(
            f"stack {others[0]} is up on this cluster, and it holds one at a time: add SWITCH=1 to replace it"
        )
    for other in others:
        recover(other)
        call("pulumi", "destroy", "-s", other, "--yes", "--skip-preview")
    if stack not in [row["name"] for row in listed]:
        call("pulumi", "stack", "init", stack, "--no-select")


def recover(stack: str) -> None:
    """Take away what a killed update left: its lock, and creations of which nobody knows how they ended.

    `pulumi up` only warns of such creations, but keeps them in its state for ever; forgotten, they are made
    again, which for an object that exists is an update.
    """
    release_dead_lock(stack)
    state = cast("dict[str, Any]", json.loads(ask("pulumi", "stack", "export", "-s", stack)))
    deployment = cast("dict[str, Any]", state.get("deployment") or {})
    operations = cast("list[dict[str, Any]]", deployment.get("pending_operations") or [])
    if any(operation["type"] == "creating" for operation in operations):
        # Not interactive: in a terminal it would ask about each of them.
        call("pulumi", "refresh", "-s", stack, "--clear-pending-creates", "--yes", "--skip-preview",
             "--non-interactive", "--suppress-outputs")  # fmt: skip


def release_dead_lock(stack: str) -> None:
    """Take away the locks of updates that were killed on this machine; a live one's keeps them all."""
    backend = urllib.parse.urlsplit(os.environ.get("PULUMI_BACKEND_URL", ""))
    if backend.scheme != "file":
        return
    locks = Path(backend.path) / ".pulumi" / "locks" / "organization" / PROJECT / stack
    files = list(locks.glob("*.json"))
    # `pulumi cancel` removes every lock of the stack, so one that lives protects the others.
    if files and all(map(_is_dead, files)):
        call("pulumi", "cancel", "-s", stack, "--yes")


def _is_dead(lock: Path) -> bool:
    try:
        owner = json.loads(lock.read_text())
        host, process = owner["hostname"], int(owner["pid"])
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError):
        # Pulumi writes locks in one go: half of one is what a machine left that died.
        return True
    return host == socket.gethostname() and not Path(f"/proc/{process}").exists()


def run_demo(result: Outputs) -> None:
    """Run the six deployments inside the cluster, through the load balancer."""
    terminal = ["--stdin", "--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    target = f"deployment/{names.pool(SHARED_POOL)}"
    call("kubectl", "exec", *terminal, f"--namespace={result['kubernetes_namespace']}", target, "--",
         "python3", "-m", "worker.demo")  # fmt: skip


def closing_words(stack: str, result: Outputs) -> str:
    """Return endpoints and what to try next."""
    lines = [
        "",
        f"Temporal UI          {result['ui_url']}",
        f"Temporal frontend    {result['frontend_address']}",
        *([f"codec server         {result['codec_url']}"] if result["codec_url"] else []),
        f"namespaces           {', '.join(result['temporal_namespaces'])}",
        f"tenants              {', '.join(sorted(result['tenants']))}",
        f"survives             {json.dumps(result['persistence'].get('survives'))}",
        "",
        'A shell with kubectl and pulumi for it:   eval "$(.venv/bin/python -m lab env)"',
        "Where everything runs:                    kubectl get pods -A -o wide",
        f"That nothing is left to change:           pulumi up -s {stack}",
    ]
    if result["is_drill_allowed"]:
        zone = result["zones"][0]
        lines.append(
            f"Take a zone away, and give it back:        .venv/bin/python -m lab power-off {zone} --for 120"
        )
    return "\n".join(lines)


def call(*command: str) -> None:
    """Run a step with its output shown."""
    subprocess.run(command, check=True, env=os.environ | {"PULUMI_SKIP_CONFIRMATIONS": "true"})


def ask(*command: str) -> str:
    """Run a step and return its output.

    Raises:
        UpError: It failed; carries its message.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UpError(" ".join(done.stderr.split()))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
