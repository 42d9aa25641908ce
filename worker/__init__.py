"""The Temporal worker package: router deployments for many tenants.

Layers, from the bottom up; each imports only those before it:

1. `tenancy`, `release` (standard library only; every package may import them),
2. `errors`, `models`, `settings`, `logs`,
3. `routers` (drivers), `client` (connections), `reconciliation`, `namespaces`, `queues`, `lanes`
   (Temporal's own administration),
4. `activities`, `workflows`, `starter`, `moves` (of tenants),
5. `pool`, `health`, `process` (the worker process), `tenants`, `simulator` and `demo` (commands).

It knows nothing of `infra`, `lab` or `load_tests`.
"""
