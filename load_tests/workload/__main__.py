"""`python -m load_tests.workload`: serve the load tests' own queue until SIGTERM."""

from load_tests.workload.serving import main
from worker.leaving import leave

leave(main())
