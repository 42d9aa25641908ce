"""`python -m worker`: serve every tenant's queue until SIGTERM."""

import sys

from worker.process import main

sys.exit(main())
