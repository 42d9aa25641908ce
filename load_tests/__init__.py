"""Load tests and failover drills whose verdict can be believed.

Layers, from the bottom up; each imports only those before it (the contract in `pyproject.toml` checks it):

1. `models` (what was asked for and what became of it), `errors`,
2. `arrivals` (when operations are due, pure), `histograms` (latencies), `records` (files of operations),
3. `stack` (the one module that reads a stack's outputs), `balancers` (where they move), `clients` (a user's and a probe's),
4. `workload` (workflows of the load tests, and the worker that runs them), `scenarios` (what one operation is),
5. `generator` (sends what is due, several processes), `checker` (judges what the store holds),
6. `faults` (each takes effect for certain, and heals for certain),
7. `runs` (one load-test run), `drills` (scenario, fault and gates),
8. `cli`.
"""
