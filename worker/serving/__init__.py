"""Serves tenants' queues: the worker process, its pool of SDK workers, their limits, metrics and versions."""
