"""Workflows of the load tests' own, and the worker process that runs them on a queue of its own.

Each is as small as its purpose allows and returns what it has seen, so that the checker can hold it against what was
asked. Workflow modules have no side effects and import nothing that is not deterministic.
"""
