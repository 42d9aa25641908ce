"""Payload encryption: what a tenant's deployments carry is readable only with that tenant's key.

Temporal's server, its database and its backups see ciphertext; workers, clients and the codec server hold the
keys. What stays readable, because the server needs it: workflow ids, search attributes, types, queues, times,
the reason given to a termination, and the type of a failure (not its message).
"""
