"""`python -m infra.up` with tools that only write down what they were asked."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import manifests, outputs, up

OUTPUTS: dict[str, Any] = {
    "kubernetes_namespace": "temporal",
    "frontend_address": "10.96.0.7:7233",
    "frontend_headless_address": "temporal-direct.temporal.svc.cluster.local:7233",
    "ui_url": "http://10.96.0.8:8080",
    "codec_url": "http://10.96.0.9:8081",
    "temporal_namespaces": ["production"],
    "tenants": {"chogar": {}, "afijo": {}},
    "persistence": {"kind": "postgres", "survives": {"zones": 1, "instances": 1}},
    "zones": ["zone-a", "zone-b", "zone-c"],
    "components": {},
    "versions": {},
    "is_drill_allowed": True,
}

LIST, EXPORT = "pulumi stack ls --json", "pulumi stack export -s local"
UP = "pulumi up -s local --yes --skip-preview --suppress-outputs"
OUTPUT = "pulumi stack output --json --stack local --non-interactive"
DEMO = "kubectl exec --namespace=temporal deployment/worker-shared -- python3 -m worker.demo"

TOOL = """#!/bin/sh
name="${0##*/}"
echo "$name $*" >> {folder}/called
[ -f "{folder}/$name $1.fails" ] && { echo "it broke" >&2; exit 7; }
[ -f "{folder}/$name $1 $2" ] && exec cat "{folder}/$name $1 $2"
exit 0
"""


class Tools:
    """Stand-ins for pulumi and kubectl: what they answer, and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer("pulumi stack ls", [{"name": "local", "resourceCount": 0}])
        self.answer("pulumi stack export", {"version": 3, "deployment": {}})
        self.answer("pulumi stack output", OUTPUTS)

    def answer(self, command: str, value: object) -> None:
        (self.folder / command).write_text(json.dumps(value))

    def fail(self, command: str) -> None:
        (self.folder / f"{command}.fails").touch()

    @property
    def called(self) -> list[str]:
        log = self.folder / "called"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("pulumi", "kubectl"):
        (binaries / name).write_text(TOOL.replace("{folder}", str(tmp_path)))
        (binaries / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setattr(manifests, "fetch", lambda _manifest: "cache")
    return Tools(tmp_path)


@pytest.fixture
def locks(tools: Tools) -> Path:
    folder = tools.folder / "state" / ".pulumi" / "locks" / "organization" / "routerfleet" / "local"
    folder.mkdir(parents=True)
    return folder


def lock(folder: Path, name: str, pid: int, hostname: str | None = None) -> None:
    owner = {"pid": pid, "username": "root", "hostname": hostname or socket.gethostname()}
    (folder / f"{name}.json").write_text(json.dumps(owner))


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def alive() -> Any:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_it_brings_the_stack_up_and_runs_the_demo(
    tools: Tools, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert up.main(["-s", "local"]) == 0
    assert tools.called == [LIST, EXPORT, UP, OUTPUT, DEMO]
    printed = capsys.readouterr().out
    assert "Temporal UI          http://10.96.0.8:8080\n" in printed
    assert "codec server         http://10.96.0.9:8081\n" in printed


def test_a_stack_without_a_codec_server_does_not_speak_of_one() -> None:
    assert "codec" not in up.closing_words("local", outputs.parse({**OUTPUTS, "codec_url": ""}))


def test_a_stack_that_pulumi_does_not_know_is_made_first(tools: Tools) -> None:
    tools.answer("pulumi stack ls", [])

    assert up.main(["--no-demo"]) == 0
    assert tools.called == [LIST, "pulumi stack init local --no-select", EXPORT, UP, OUTPUT]


@pytest.mark.parametrize("arguments", [[], ["--check-only"]])
def test_an_unknown_stack_is_refused_before_anything_is_asked(
    tools: Tools, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert up.main(["-s", "nope", *arguments]) == 2
    assert capsys.readouterr().err.startswith("up: there is no stack 'nope'; known stacks: local, ")
    assert tools.called == []


def test_check_only_needs_no_tools(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert up.main(["-s", "staging", "--check-only"]) == 0
    assert capsys.readouterr() == ("", "")
    assert tools.called == []


@pytest.mark.parametrize("missing", ["pulumi", "kubectl"])
def test_a_missing_tool_is_one_line_that_says_how_to_get_it(
    tools: Tools, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (tools.folder / "bin" / missing).unlink()
    monkeypatch.setenv("PATH", str(tools.folder / "bin"))

    assert up.main([]) == 2
    assert capsys.readouterr().err == (
        f'up: {missing} is not on PATH: run eval "$(.venv/bin/python -m lab env)" first\n'
    )


def test_a_second_stack_is_refused(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools.answer("pulumi stack ls", [{"name": "local"}, {"name": "other", "resourceCount": 9}])

    assert up.main(["--no-demo"]) == 2
    assert capsys.readouterr().err == (
        "up: stack other is up on this cluster, and it holds one at a time: add SWITCH=1 to replace it\n"
    )
    assert tools.called == [LIST]


def test_switch_replaces_the_other_stack(tools: Tools) -> None:
    tools.answer("pulumi stack ls", [{"name": "local"}, {"name": "other", "resourceCount": 9}])

    assert up.main(["--no-demo", "--switch"]) == 0
    assert tools.called == [
        LIST,
        "pulumi stack export -s other",
        "pulumi destroy -s other --yes --skip-preview",
        EXPORT,
        UP,
        OUTPUT,
    ]


def test_a_step_that_fails_ends_it_with_that_steps_code(tools: Tools) -> None:
    tools.fail("pulumi up")

    assert up.main(["--no-demo"]) == 7
    assert tools.called[-1] == UP


def test_a_backend_that_does_not_answer_is_one_line(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools.fail("pulumi stack")

    assert up.main(["--no-demo"]) == 2
    assert capsys.readouterr().err == "up: it broke\n"


def test_a_dead_lock_is_released(tools: Tools, locks: Path, dead: int) -> None:
    lock(locks, "one", dead)

    up.recover("local")

    assert tools.called == ["pulumi cancel -s local --yes", EXPORT]


@pytest.mark.parametrize("text", ["", '{"pid": 4', "{}", "[]", '{"pid": null, "hostname": "x"}'])
def test_half_a_lock_is_dead(tools: Tools, locks: Path, text: str) -> None:
    (locks / "half.json").write_text(text)

    up.release_dead_lock("local")

    assert tools.called == ["pulumi cancel -s local --yes"]


def test_a_live_lock_stays_and_protects_the_dead_ones(
    tools: Tools, locks: Path, dead: int, alive: int
) -> None:
    lock(locks, "one", dead)
    lock(locks, "two", alive)

    up.release_dead_lock("local")

    assert tools.called == []


def test_another_machines_lock_stays(tools: Tools, locks: Path, dead: int) -> None:
    lock(locks, "one", dead, hostname="elsewhere")

    up.release_dead_lock("local")

    assert tools.called == []


def test_no_lock_and_no_local_backend_ask_nothing(
    tools: Tools, locks: Path, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    up.release_dead_lock("local")
    lock(locks, "one", dead)
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.example.net")
    up.release_dead_lock("local")

    assert tools.called == []


@pytest.mark.parametrize(("kind", "is_cleared"), [("creating", True), ("updating", False)])
def test_creations_of_unknown_end_are_forgotten(tools: Tools, kind: str, is_cleared: bool) -> None:
    pending = [{"type": kind, "resource": {"urn": "u"}}]
    tools.answer("pulumi stack export", {"version": 3, "deployment": {"pending_operations": pending}})

    up.recover("local")

    refresh = (
        "pulumi refresh -s local --clear-pending-creates --yes --skip-preview --non-interactive "
        "--suppress-outputs"
    )
    assert tools.called == [EXPORT, *([refresh] if is_cleared else [])]


def test_a_stack_that_was_never_up_has_nothing_to_recover(tools: Tools) -> None:
    tools.answer("pulumi stack export", {"version": 3, "deployment": None})

    up.recover("local")

    assert tools.called == [EXPORT]
