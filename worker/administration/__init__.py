"""Temporal's own administration, from the tenant file: namespaces, queues, what is served where, and moves of tenants."""
