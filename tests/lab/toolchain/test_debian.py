import pytest

from lab.toolchain import debian, installer

OURS = "#!/bin/sh\n# Written by routerfleet's lab while it installs packages.\nexit 101\n"
THEIRS = "#!/bin/sh\nexit 101\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose apt and dpkg only note what they are asked, with the policy they find."""
    monkeypatch.setenv("ROUTERFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(debian, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(debian, "_DPKG_JOURNAL", tmp_path / "updates")
    monkeypatch.setattr(debian, "_are_lists_stale", lambda _: False)
    monkeypatch.setattr(debian.run, "answer", lambda _: "")
    asked = []

    def logged(command, *_args, **_more):
        policy = tmp_path / "policy-rc.d"
        asked.append((" ".join(command), policy.read_text() if policy.exists() else None))

    monkeypatch.setattr(debian.run, "logged", logged)
    return tmp_path, asked


INSTALL = "apt-get install -y --no-install-recommends runc"


@pytest.mark.parametrize("left", [None, OURS])
def test_the_policy_stands_while_packages_are_installed_and_a_left_over_is_ours_to_remove(machine, left):
    folder, asked = machine
    if left:
        (folder / "policy-rc.d").write_text(left)

    debian.install(["runc"])

    assert asked == [(INSTALL, OURS)]
    assert not (folder / "policy-rc.d").exists()


def test_the_machines_own_policy_stays(machine):
    folder, asked = machine
    (folder / "policy-rc.d").write_text(THEIRS)

    debian.install(["runc"])
    installer.remove_left_over()

    assert asked == [(INSTALL, THEIRS)]
    assert (folder / "policy-rc.d").read_text() == THEIRS


def test_down_removes_what_a_killed_installation_left(machine):
    folder, _ = machine
    (folder / "policy-rc.d").write_text(OURS)

    installer.remove_left_over()

    assert not (folder / "policy-rc.d").exists()


@pytest.mark.parametrize("sign", ["journal", "audit"])
def test_an_interrupted_dpkg_is_mended_first(machine, monkeypatch, sign):
    folder, asked = machine
    if sign == "journal":
        (folder / "updates").mkdir()
        (folder / "updates" / "0001").touch()
    else:
        monkeypatch.setattr(debian.run, "answer", lambda _: "runc is only half configured")

    debian.install(["runc"])

    assert asked == [("dpkg --configure -a", OURS), (INSTALL, OURS)]
