"""`python -m worker.simulator --listen HOST:PORT --data DIR`: run the simulated routers."""

import sys

from worker.simulator.command import main

sys.exit(main())
