"""`python -m load_tests COMMAND`: see `load_tests.cli`."""

from load_tests.cli import main
from worker.leaving import leave

leave(main())
