"""`python -m worker`: serve every tenant's queue until SIGTERM."""

from worker.leaving import leave
from worker.serving.process import main

leave(main())
