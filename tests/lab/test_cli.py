import subprocess

import pytest

from lab import cli
from lab.cluster.state import State


@pytest.fixture
def no_lab(tmp_path, monkeypatch):
    monkeypatch.setenv("ROUTERFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(cli.requirements.os, "geteuid", lambda: 0)
    return tmp_path / "state"


CHANGES = [
    ["power-off", "zone-c"],
    ["power-off", "zone-c", "--for", "60"],
    ["power-on", "zone-c"],
    ["silence", "zone-c"],
    ["silence", "zone-c", "--toward", "zone-a", "--for", "60"],
    ["silence", "zone-c", "--pod", "10.244.3.7", "--for", "60"],
    ["freeze", "node-c"],
    ["stop", "api"],
    ["heal"],
    ["heal", "zone-c", "api"],
    ["outside", "start", "routers", "--", "true"],
    ["outside", "stop", "routers"],
]


@pytest.mark.parametrize("command", CHANGES)
def test_without_a_lab_nothing_is_made(no_lab, capsys, command):
    assert cli.main(command) == 2
    assert capsys.readouterr().err == "lab: the lab is not up: run `make up`\n"
    assert not no_lab.exists()


@pytest.mark.parametrize("command", CHANGES)
def test_only_root_changes_a_lab(no_lab, capsys, monkeypatch, command):
    monkeypatch.setattr(cli.requirements.os, "geteuid", lambda: 1000)

    assert cli.main(command) == 2
    assert capsys.readouterr().err == (
        "lab: user: the lab makes namespaces and mounts, so it runs as root only; use sudo\n"
    )
    assert not no_lab.exists()


@pytest.mark.usefixtures("no_lab")
@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", "86401", ""])
def test_a_time_that_cannot_pass_is_refused_in_one_line(capsys, seconds):
    assert cli.main(["power-off", "zone-c", f"--for={seconds}"]) == 2
    assert capsys.readouterr().err == (
        f"lab: --for: '{seconds}' is not a number of seconds above 0 and up to a day, such as 60\n"
    )


@pytest.mark.usefixtures("no_lab")
@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["silence", "zone-d"], "zone: 'zone-d' is not a zone of the lab; zones are zone-a, zone-b, zone-c"),
        (
            ["silence", "zone-a", "--toward", "x"],
            "zone: 'x' is not a zone of the lab; zones are zone-a, zone-b, zone-c",
        ),
        (["silence", "zone-a", "--pod", "web-0"], "--pod: 'web-0' is no address, such as 10.244.1.7"),
        (["freeze", "node-d"], "zone: 'node-d' is not a zone of the lab; zones are zone-a, zone-b, zone-c"),
        (["heal", "etcd"], "zone: 'etcd' is not a zone of the lab; zones are zone-a, zone-b, zone-c"),
        (["stop", "etcd"], "stop: 'etcd' cannot be stopped; api can"),
    ],
)
def test_what_is_no_fault_is_refused_in_one_line(capsys, command, line):
    assert cli.main(command) == 2
    assert capsys.readouterr().err == f"lab: {line}\n"


@pytest.mark.usefixtures("no_lab")
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(28, "No space left on device", "/x/image"),
            "[Errno 28] No space left on device: '/x/image'",
        ),
        (
            subprocess.CalledProcessError(1, ["ip", "link"], stderr="first\nCannot open netns\n"),
            "ip link failed with 1: Cannot open netns",
        ),
        (subprocess.CalledProcessError(32, ["umount", "/run/netns"]), "umount /run/netns failed with 32"),
    ],
)
def test_errors_of_the_machine_are_one_line(capsys, monkeypatch, error, line):
    def fail(_: State):
        raise error

    monkeypatch.setattr(cli.lifecycle, "status", fail)

    assert cli.main(["status"]) == 2
    assert capsys.readouterr().err == f"lab: {line}\n"
