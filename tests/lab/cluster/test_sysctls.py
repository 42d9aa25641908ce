import json

import pytest

from lab.cluster import sysctls

BEFORE = {
    "vm.overcommit_memory": "0",
    "vm.panic_on_oom": "0",
    "kernel.panic": "0",
    "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "200",
    "kernel.keys.root_maxbytes": "20000",
}


def write(proc, values):
    for name, value in values.items():
        file = proc / name.replace(".", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value + "\n")


@pytest.fixture
def proc(tmp_path):
    write(tmp_path / "proc", BEFORE)
    return tmp_path / "proc"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "lab").mkdir()
    return tmp_path / "lab"


def test_what_kubelet_writes_is_put_back(root, proc):
    sysctls.remember(root, proc)
    write(proc, sysctls.WRITTEN)

    sysctls.restore(root, proc)

    assert sysctls.values(proc) == BEFORE


def test_the_first_values_are_kept_when_the_lab_is_repaired(root, proc):
    sysctls.remember(root, proc)
    write(proc, sysctls.WRITTEN)
    sysctls.remember(root, proc)

    assert json.loads((root / "sysctls.json").read_text()) == BEFORE


def test_a_value_that_somebody_else_wrote_since_stays(root, proc):
    sysctls.remember(root, proc)
    write(proc, {**sysctls.WRITTEN, "kernel.panic": "60"})

    sysctls.restore(root, proc)

    assert sysctls.values(proc) == {**BEFORE, "kernel.panic": "60"}


def test_of_a_lab_that_booted_before_its_values_were_noted_nothing_is_noted_or_changed(root, proc):
    (root / "machines").mkdir()
    write(proc, sysctls.WRITTEN)

    sysctls.remember(root, proc)
    sysctls.restore(root, proc)

    assert not (root / "sysctls.json").exists()
    assert sysctls.values(proc) == sysctls.WRITTEN
