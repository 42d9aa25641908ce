"""`python -m worker.cli`: the same as the console script `routers`."""

from worker.cli import main

main()
