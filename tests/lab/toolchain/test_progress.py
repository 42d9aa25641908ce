import io
import re

import pytest
from rich.console import Console

from lab.toolchain.progress import LineProgress, LiveProgress


def test_plain_lines_say_what_how_long_and_how_many_are_left():
    stream = io.StringIO()
    progress = LineProgress(stream)
    progress.expect(2)
    with progress.step("build coredns", hint="about 102 s the first time"):
        pass
    with progress.step("install runc"):
        pass

    assert stream.getvalue().splitlines() == [
        "build coredns ... (about 102 s the first time)",
        "build coredns: done in 0 s, 1 left",
        "install runc ...",
        "install runc: done in 0 s, 0 left",
    ]


def test_a_failed_step_is_not_said_to_be_done():
    stream = io.StringIO()
    progress = LineProgress(stream)
    with pytest.raises(KeyError), progress.step("build"):
        raise KeyError

    assert stream.getvalue() == "build ...\n"


def test_a_terminal_names_the_running_step_and_keeps_the_finished():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)
    progress = LiveProgress(console)
    progress.expect(1)
    with progress.step("build [coredns]"):
        pass
    assert isinstance(console.file, io.StringIO)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())

    assert "build [coredns]: done in 0 s, 0 left" in plain
