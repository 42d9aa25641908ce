"""`python -m worker.demo`."""

from worker.demo.command import main
from worker.leaving import leave

leave(main())
