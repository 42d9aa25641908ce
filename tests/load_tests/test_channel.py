import json
import subprocess
import sys

_NOISY = """
import os
from load_tests.generator.process import Channel
channel = Channel()
os.write(1, b"a native library says something\\n")
channel.say(state="prepared")
"""


def test_only_the_crew_s_lines_are_on_standard_output() -> None:
    done = subprocess.run([sys.executable, "-c", _NOISY], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"state": "prepared"}
    assert "a native library says something" in done.stderr
