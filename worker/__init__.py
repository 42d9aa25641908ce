"""The Temporal worker package: router deployments for many tenants.

Layers, from the bottom up; each imports only those before it (the contract in `pyproject.toml` checks it):

1. `errors`, `release`, `tenancy` (standard library only; every package may import the last two),
2. `models` (what goes in and out of workflows and steps),
3. `settings`, `leaving` (of processes),
4. `encryption` (payloads), then `client` (connections) and `logs`,
5. `simulator` (routers that are not there), then `routers` (drivers),
6. `activities`, then `workflows`,
7. `administration` (namespaces, queues, moves of tenants), `starting` (deployments, rollouts, windows),
8. `serving` (the worker process),
9. `cli` (`routers`, the teams' command line), `tenants`, `codec_server`, `demo` (commands),
10. `bench` (benchmarks; not in the image).

It knows nothing of `infra`, `lab` or `load_tests`.
"""
