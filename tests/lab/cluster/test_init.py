"""The supervisor's own behaviour, on real processes; its mounts are tested by the lab itself."""

import os
import signal
import subprocess
import sys
import textwrap

from lab.cluster.machine import INIT
from tests.lab.cluster.support import wait_until

PROGRAM = textwrap.dedent("""
    import signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    import init
    init.RESTART_SECONDS = 0.05
    signal.pthread_sigmask(signal.SIG_BLOCK, init.SIGNALS)
    folder = Path(sys.argv[2])
    first = init.Service("first", ["sh", "-c", f"echo one >> {folder}/first; sleep 0.2; touch {folder}/ready; sleep 0.1"],
                         ["test", "-e", f"{folder}/ready"])
    second = init.Service("second", ["sh", "-c", f"ls {folder} > {folder}/seen; exec sleep 60"], None)
    init.run([first, second], folder)
""")


def test_services_start_in_order_and_start_again_when_they_end(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(INIT.parent), str(tmp_path)]
    supervisor = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        wait_until(
            lambda: (tmp_path / "first").exists() and len((tmp_path / "first").read_text().split()) >= 3
        )
        wait_until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text())
        assert "ready" in (tmp_path / "seen").read_text().split()
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(10) == 0
    finally:
        os.killpg(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
