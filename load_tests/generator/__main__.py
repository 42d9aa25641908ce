"""`python -m load_tests.generator FILE`: one generator process; `generator.crew` starts it."""

import asyncio
import signal
import sys
from pathlib import Path

from load_tests.generator.process import serve
from worker.leaving import leave

# Ctrl-C reaches the whole group of a terminal; the crew tells this process when to end.
signal.signal(signal.SIGINT, signal.SIG_IGN)
leave(asyncio.run(serve(Path(sys.argv[1]))))
