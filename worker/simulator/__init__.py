"""Simulated routers and their ledger, as a service outside the worker processes.

`store` keeps routers, faults and the append-only ledger in one SQLite file; `service` is its HTTP face;
`python -m worker.simulator --listen HOST:PORT --data DIR` runs it.
"""
