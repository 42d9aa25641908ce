import pytest

from lab import paths
from lab.cluster.state import State
from lab.errors import LabError


def test_a_dead_lab_of_another_checkout_is_taken_over(tmp_path):
    state = State(tmp_path / "lab")
    state.root.mkdir()
    (state.root / "owner.json").write_text('{"checkout": "/elsewhere"}')

    state.claim()

    assert state.owner() == str(paths.checkout_dir())


def test_a_live_lab_of_another_checkout_is_refused(tmp_path, monkeypatch):
    state = State(tmp_path / "lab")
    state.root.mkdir()
    (state.root / "owner.json").write_text('{"checkout": "/elsewhere"}')
    monkeypatch.setattr(state, "running", lambda: ["node-a"])

    with pytest.raises(LabError, match="is running for the checkout /elsewhere: run `make down` there"):
        state.claim()
    assert state.owner() == "/elsewhere"


def test_two_commands_at_once_are_refused(tmp_path):
    state = State(tmp_path / "lab")

    with (
        state.lock(),
        pytest.raises(LabError, match="another lab command is at work"),
        State(tmp_path / "lab").lock(),
    ):
        pass


def test_folders_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ROUTERFLEET_STATE", str(tmp_path / "a"))
    monkeypatch.delenv("ROUTERFLEET_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))

    assert State().root == tmp_path / "a" / "lab"
    assert paths.cache_dir() == tmp_path / "b" / "routerfleet"
