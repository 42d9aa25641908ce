"""`python -m worker.bench.support.burst_worker`: the worker process, which also serves `Burst`."""

from __future__ import annotations

from worker.bench.support.burst import Burst, touch
from worker.leaving import leave
from worker.serving.pool import Extra
from worker.serving.process import main

if __name__ == "__main__":
    leave(main(Extra(workflows=(Burst,), activities=(touch,))))
