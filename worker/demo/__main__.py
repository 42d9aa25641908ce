"""`python -m worker.demo`."""

import sys

from worker.demo.command import main

sys.exit(main())
