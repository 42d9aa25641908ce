"""`python -m infra.up -s STACK`: bring a stack up, run the six deployments on it, say what to try next.

What `make up` does once there is a cluster: one stack at a time in one Pulumi backend, `pulumi up`, then the
demo inside the cluster and through its load balancer. Typing `pulumi up -s STACK` instead is as good.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from infra import manifests, names, outputs
from infra.outputs import Outputs
from infra.settings import PROJECT
from worker.tenancy import SHARED_POOL

STACKS = Path(__file__).resolve().parent.parent / "stacks"


class UpError(Exception):
    """A one-line message that says what is in the way and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 2 refused, otherwise that of the step that failed."""
    parser = argparse.ArgumentParser(prog="python -m infra.up", description=__doc__)
    parser.add_argument("-s", "--stack", default="local", help="stack to bring up (default: local)")
    parser.add_argument(
        "--switch", action="store_true", help="destroy another stack that is up, without asking"
    )
    parser.add_argument("--no-demo", action="store_true", help="leave the six deployments out")
    args = parser.parse_args(arguments)
    try:
        check_name(args.stack)
        manifests.fetch(manifests.CLOUDNATIVE_PG)
        make_way(args.stack, may_destroy=args.switch)
        release_dead_lock(args.stack)
        call("pulumi", "up", "-s", args.stack, "--yes", "--skip-preview", "--suppress-outputs")
        result = outputs.load(args.stack)
        if not args.no_demo:
            run_demo(result)
    except (UpError, RuntimeError) as error:
        print(f"up: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        print("up: interrupted; run it again, it goes on where it was", file=sys.stderr)
        return 130
    print(closing_words(args.stack, result))
    return 0


def check_name(stack: str) -> None:
    """Refuse a stack without a file.

    Raises:
        UpError: Names the stacks there are.
    """
    known = sorted(
        file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in STACKS.glob("Pulumi.*.yaml")
    )
    if stack not in known:
        raise UpError(
            f"stack: {stack!r} has no file stacks/Pulumi.{stack}.yaml; stacks are {', '.join(known)}"
        )


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
        call("pulumi", "destroy", "-s", other, "--yes", "--skip-preview")
    if stack not in [row["name"] for row in listed]:
        call("pulumi", "stack", "init", stack, "--no-select")


def release_dead_lock(stack: str) -> None:
    """Take away the lock that an update left which was killed on this machine; a live one's stays."""
    backend = urllib.parse.urlsplit(os.environ.get("PULUMI_BACKEND_URL", ""))
    if backend.scheme != "file":
        return
    locks = Path(backend.path) / ".pulumi" / "locks" / "organization" / PROJECT / stack
    for file in locks.glob("*.json"):
        owner = json.loads(file.read_text())
        if owner["hostname"] == socket.gethostname() and not Path(f"/proc/{owner['pid']}").exists():
            call("pulumi", "cancel", "-s", stack, "--yes")
            return


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
        f"namespaces           {', '.join(result['temporal_namespaces'])}",
        f"tenants              {', '.join(sorted(result['tenants']))}",
        f"survives             {json.dumps(result['persistence'].get('survives'))}",
        "",
        'A shell with kubectl and pulumi for it:   eval "$(python -m lab env)"',
        "Where everything runs:                    kubectl get pods -A -o wide",
        f"That nothing is left to change:           pulumi up -s {stack}",
    ]
    if result["is_drill_allowed"]:
        zone = result["zones"][0]
        lines.append(f"Take a zone away, and give it back:        python -m lab power-off {zone} --for 120")
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
