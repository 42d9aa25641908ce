"""What the FRR driver runs on the router: changes that undo themselves, once per key, whatever becomes of the worker.

FRR has no candidate configuration and no commit-confirm; this file is both. The driver sends it to the router's
own `python3 -I -` over SSH with a call of `main` appended, so nothing has to be installed there. It therefore
uses the standard library only, from Python 3.9 on, imports nothing of this package, and is one file however
long. The user who logs in must be one who may use `vtysh`, also to save the configuration.

A change is applied to the running configuration alone and saved when it is confirmed, so that a router which
loses its power before comes back as it was. What is remembered lies in `~/.routerfleet`: a lock, and one
file of changes by key, each with its backup and what was done. A process left behind by `apply` undoes the
change when its time is up.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator  # noqa: UP035  as Python 3.9 has them

FOLDER = Path.home() / ".routerfleet"
LOCK_SECONDS = 40
"""How long one request waits for another; longer than a large configuration takes to load."""
VTYSH_SECONDS = 60
RESTORE_PASSES = 8
"""Taking a line back can take others with it, which the next pass puts back; two passes are usual."""
WHOLE_PASSES = 2
"""Passes that negate whole lines. FRR takes some negations only without their last words, as in `no description`;
which, is tried out in the passes after, as FRR's own frr-reload.py does."""
KEPT = 200
"""Changes remembered. No request is repeated after that many others: it would be hours old."""
BACKUPS_KEPT = 20
WATCH_SECONDS = 1.0
PENDING = ("applying", "applied", "half-applied", "confirming")

_VOLATILE = re.compile(
    r"Building configuration|Current configuration|Note: |frr (version|defaults) "
    r"|(no )?service integrated-vtysh-config$|end$|exit$|exit-[a-z-]+$"
)
_LASTING = re.compile(r"(interface|vrf|address-family) ")
"""Sections that are emptied and not taken back, see `worker.routers.frr_rules`."""

_HELD: list[int] = []
"""Descriptor of the lock while this process holds it."""

Record = dict[str, Any]
Tree = dict[str, "Tree"]


class Refused(Exception):  # noqa: N818  an answer, not a defect
    """The request is answered with an error: its kind, and one line for people."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def main(text: str) -> None:
    """Answer one request, JSON in and JSON out."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request = json.loads(text)
    try:
        answer = OPERATIONS[request["operation"]](request)
    except Refused as refused:
        answer = {"error": refused.kind, "detail": refused.detail}
    except (OSError, subprocess.SubprocessError) as error:
        answer = {"error": "unavailable", "detail": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()


def read(_: Record) -> Record:
    """Return the running configuration, after undoing what should have been undone by now."""
    if any(record["status"] in PENDING and record["deadline"] < time.time() for record in _load().values()):
        with _locked():
            _reconciled()
    lines = running()
    return {"running": lines, "revision": revision(lines)}


def show(request: Record) -> Record:
    """Return what `vtysh` answers to each command."""
    return {"answers": [_vtysh("-c", command).stdout for command in request["commands"]]}


def ledger(_: Record) -> Record:
    """Return everything that was done, in order, each with its key."""
    with _locked():
        changes = _load()
    events = [{"key": key, **event} for key, record in changes.items() for event in record["events"]]
    return {"events": sorted(events, key=lambda event: event["at"])}


def apply(request: Record) -> Record:
    """Load the commands, unless the key is known, and leave a process that undoes them when time is up."""
    key = request["key"]
    with _locked():
        changes = _reconciled()
        record = changes.get(key)
        if record is not None and record["status"] == "applying":
            record = _found_applying(changes, key)
        if record is not None:
            _note(record, "duplicate")
            _save(changes)
            return _applied_before(record)
        waiting = [other for other, known in changes.items() if known["status"] in PENDING]
        if waiting:
            raise Refused("drifted", f"another change waits to be confirmed or undone: {waiting[0]}")
        backup = running()
        if revision(backup) != request["expected_revision"] or request["commands"] is None:
            raise Refused("drifted", f"is at revision {revision(backup)}, not {request['expected_revision']}")
        changes[key] = record = {
            "status": "applying",
            "backup": backup,
            "backup_revision": revision(backup),
            "revision": "",
            "deadline": time.time() + request["confirm_seconds"],
            "detail": "",
            "events": [],
        }
        _note(record, "apply")
        _save(changes)
        # Before the first command: it may be the one that cuts us off.
        _leave_watch(key, request["confirm_seconds"])
        record["detail"] = load(request["commands"])
        record["revision"] = revision(running())
        record["status"] = "half-applied" if record["detail"] else "applied"
        _save(changes)
        return _applied_before(record)


def confirm(request: Record) -> Record:
    """Save the change, so that it stays."""
    with _locked():
        changes = _reconciled()
        record = changes.get(request["change_key"])
        if record is None:
            raise Refused("reverted", "the router knows nothing of the change")
        if record["status"] not in ("applied", "confirming"):
            return _applied_before(record)
        now = revision(running())
        if now != record["revision"]:
            raise Refused("drifted", f"is at revision {now}, not {record['revision']}")
        record["status"] = "confirming"
        _save(changes)
        _write_memory()
        record["status"] = "confirmed"
        _note(record, "confirm")
        _save(changes)
        return {"revision": now}


def undo(request: Record) -> Record:
    """Return to the backup if the change arrived, and bar it from arriving later."""
    key = request["change_key"]
    with _locked():
        changes = _reconciled()
        record = changes.get(key)
        if record is None:
            record = changes[key] = _withdrawn()
            _save(changes)
        if record["status"] == "withdrawn":
            return {"revision": revision(running()), "is_restored": False}
        now = revision(running())
        is_ours = record["status"] == "applying" or now == record["revision"]
        if now != record["backup_revision"] and (not is_ours or record["status"] in ("undone", "reverted")):
            raise Refused("drifted", f"is at revision {now}: somebody else has changed it since")
        _restore(changes, record, "undone")
        return {"revision": record["backup_revision"], "is_restored": True}


OPERATIONS: dict[str, Callable[[Record], Record]] = {
    "read": read,
    "show": show,
    "ledger": ledger,
    "apply": apply,
    "confirm": confirm,
    "undo": undo,
}


def _applied_before(record: Record) -> Record:
    """Answer as the first request of this key was answered.

    Raises:
        Refused: That answer was an error, or the change is no longer in place.
    """
    status = record["status"]
    if status == "half-applied":
        raise Refused("half-applied", record["detail"])
    if status == "reverted":
        raise Refused("reverted", "the router has undone the change, as nobody confirmed it in time")
    if status in ("withdrawn", "undone"):
        raise Refused("withdrawn", "the change was undone, so it does not come back")
    return {"revision": record["revision"]}


def _found_applying(changes: dict[str, Record], key: str) -> Record | None:
    """Decide about a change whose request died with the router: None when nothing of it is left."""
    record = changes[key]
    now = revision(running())
    if now == record["backup_revision"]:
        del changes[key]
        return None
    record.update(status="half-applied", revision=now, detail="the router failed while it took the change")
    return record


def _reconciled() -> dict[str, Record]:
    """Return the changes, after doing what the watch of one that is due, or that has died, should have done."""
    changes = _load()
    for key, record in list(changes.items()):
        if record["status"] not in PENDING:
            continue
        left_seconds = record["deadline"] - time.time()
        if left_seconds <= 0:
            _restore(changes, record, "reverted")
        elif record["status"] == "applied" and _was_rebooted(record):
            _finish(changes, record, "reverted")
        elif not _is_watched(key):
            _leave_watch(key, left_seconds)
    return changes


def _was_rebooted(record: Record) -> bool:
    """Tell whether the backup runs again, which is what a router starts with when a change was not saved."""
    return revision(running()) == record["backup_revision"] != record["revision"]


def _restore(changes: dict[str, Record], record: Record, status: str) -> None:
    """Bring the backup back.

    Raises:
        Refused: FRR does not return to it; the change stays as it is known, and is due again. Or the backup
            is not kept any more.
    """
    if revision(record["backup"]) != record["backup_revision"]:
        raise Refused(
            "drifted", f"{BACKUPS_KEPT} other changes came after it: its backup is not kept any more"
        )
    for number in range(RESTORE_PASSES):
        now = running()
        if revision(now) == record["backup_revision"]:
            break
        shortened = max(0, number + 1 - WHOLE_PASSES)
        load([_without_last(line, shortened) for line in difference(tree(now), tree(record["backup"]))])
    else:
        left = difference(tree(running()), tree(record["backup"]))
        raise Refused("half-applied", f"does not return to its backup: {'; '.join(left)}")
    if record["status"] in ("confirming", "confirmed"):
        _write_memory()
    _finish(changes, record, status)


def _without_last(command: str, count: int) -> str:
    """Return a negation without its last words, two words at least; any other command as it is."""
    words = command.split(" ")
    indent = len(command) - len(command.lstrip())
    if count == 0 or words[indent] != "no":
        return command
    return " ".join(words[: max(indent + 2, len(words) - count)])


def _withdrawn() -> Record:
    record: Record = {"status": "withdrawn", "events": [], "backup": [], "detail": ""}
    _note(record, "withdraw")
    return record


def _finish(changes: dict[str, Record], record: Record, status: str) -> None:
    if record["status"] not in ("undone", "reverted"):
        record["status"] = status
        _note(record, "rollback" if status == "undone" else "revert")
        _save(changes)


def _leave_watch(key: str, seconds: float) -> None:
    """Leave a process that undoes the change after a time, unless it is confirmed or undone before.

    It belongs to nobody: neither the end of the SSH session nor that of the worker ends it.
    """
    deadline = time.monotonic() + seconds
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        _HELD.clear()
        os.closerange(0, 1024)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)
        with _watch_file(key).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _watch(key, deadline)
    finally:
        os._exit(0)


def _watch(key: str, deadline: float) -> None:
    while _load().get(key, {}).get("status") in PENDING:
        time.sleep(max(0.0, min(WATCH_SECONDS, deadline - time.monotonic())))
        if time.monotonic() < deadline:
            continue
        with contextlib.suppress(Refused, OSError, subprocess.SubprocessError), _locked():
            changes = _load()
            record = changes.get(key, {})
            if record.get("status") in PENDING:
                _restore(changes, record, "reverted")
        time.sleep(WATCH_SECONDS)
    _watch_file(key).unlink()


def _is_watched(key: str) -> bool:
    try:
        with _watch_file(key).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _watch_file(key: str) -> Path:
    return FOLDER / f"watch-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the router for one request.

    Raises:
        Refused: Another request holds it for too long.
    """
    FOLDER.mkdir(mode=0o700, exist_ok=True)

    def give_up(*_: object) -> None:
        raise Refused("unavailable", f"another request is at work for more than {LOCK_SECONDS} s")

    signal.signal(signal.SIGALRM, give_up)
    with (FOLDER / "lock").open("w") as file:
        signal.alarm(LOCK_SECONDS)
        fcntl.flock(file, fcntl.LOCK_EX)
        signal.alarm(0)
        _HELD.append(file.fileno())
        try:
            yield
        finally:
            _HELD.pop()


def _load() -> dict[str, Record]:
    try:
        return json.loads((FOLDER / "changes.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _save(changes: dict[str, Record]) -> None:
    """Write the changes whole and durably: an answer must not be forgotten with the power."""
    kept = list(changes.items())
    kept = [item for item in kept[:-KEPT] if item[1]["status"] in PENDING] + kept[-KEPT:]
    for _, record in kept[:-BACKUPS_KEPT]:
        if record["status"] not in PENDING:
            record["backup"] = []
    partial = FOLDER / "changes.json.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(dict(kept), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(FOLDER / "changes.json")


def _note(record: Record, kind: str) -> None:
    record["events"].append({"kind": kind, "at": time.time()})


def running() -> list[str]:
    """Return the running configuration, normalised.

    Raises:
        Refused: FRR does not answer.
    """
    done = _vtysh("-c", "show running-config")
    if done.returncode or "\nCurrent configuration:\n" not in done.stdout:
        raise Refused("unavailable", f"vtysh: {(done.stderr or done.stdout).strip() or 'no answer'}")
    return normalise(done.stdout.splitlines(), os.uname().nodename)


def normalise(lines: Iterable[str], nodename: str = "") -> list[str]:
    """Drop what is no configuration: comments, ends of sections, versions.

    Args:
        lines: As `show running-config` prints them.
        nodename: The system's own name, which `vtysh` shows besides a host name that is configured.
    """
    kept = [line.rstrip() for line in lines]
    kept = [line for line in kept if line and line.strip()[0] != "!" and not _VOLATILE.match(line.strip())]
    if sum(line.startswith("hostname ") for line in kept) > 1:
        kept = [line for line in kept if line != f"hostname {nodename}"]
    return kept


def revision(lines: Iterable[str]) -> str:
    """Return a hash of a normalised configuration."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def load(commands: list[str]) -> str:
    """Load commands in one go; return what FRR refused, empty when it took all."""
    if not commands:
        return ""
    file = FOLDER / "commands"
    file.write_text("\n".join(commands) + "\n", encoding="utf-8")
    done = _vtysh("-f", str(file))
    said = "; ".join(line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip())
    return (said or f"vtysh ended with {done.returncode}") if done.returncode else ""


def tree(lines: Iterable[str]) -> Tree:
    """Return a configuration as the tree that its indentation spells."""
    root: Tree = {}
    path: list[tuple[int, Tree]] = [(-1, root)]
    for line in lines:
        indent = len(line) - len(line.lstrip())
        while path[-1][0] >= indent:
            path.pop()
        path.append((indent, path[-1][1].setdefault(line.strip(), {})))
    return root


def difference(now: Tree, wanted: Tree, depth: int = 0) -> list[str]:
    """Return commands that lead towards the configuration wanted, removals first."""
    pad = " " * depth
    commands: list[str] = []
    for line, inside in now.items():
        if line in wanted:
            continue
        if inside and _LASTING.match(line):
            commands += [pad + line, *difference(inside, {}, depth + 1), pad + _closing(line)]
        else:
            commands.append(pad + (line[3:] if line.startswith("no ") else f"no {line}"))
    for line, inside in wanted.items():
        below = difference(now.get(line, {}), inside, depth + 1)
        if below:
            commands += [pad + line, *below, pad + _closing(line)]
        elif line not in now:
            commands.append(pad + line)
    return commands


def _closing(line: str) -> str:
    if line.startswith("address-family "):
        return "exit-address-family"
    return "exit-vrf" if line.startswith("vrf ") else "exit"


def _write_memory() -> None:
    done = _vtysh("-c", "write memory")
    if done.returncode or "[OK]" not in done.stdout:
        raise Refused("unavailable", f"write memory: {(done.stderr or done.stdout).strip()}")


def _vtysh(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("vtysh") or "/usr/bin/vtysh", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        # It goes on holding the lock when this process is killed: nobody else starts before FRR has done.
        pass_fds=_HELD,
        text=True,
        timeout=VTYSH_SECONDS,
        check=False,
    )
