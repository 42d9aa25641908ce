"""The toolchain: every program the lab runs, found on the machine or built and installed once."""

from lab.toolchain import cli as cli
from lab.toolchain.installer import ensure as ensure
from lab.toolchain.installer import remove_left_over as remove_left_over
from lab.toolchain.progress import LineProgress as LineProgress
from lab.toolchain.progress import Progress as Progress
from lab.toolchain.progress import default_progress as default_progress
