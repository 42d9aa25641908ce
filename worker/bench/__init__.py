"""Benchmarks: `python -m worker.bench NAME`. Not part of the worker's image.

Each benchmark is one module here, with `add_arguments(parser)` and `async run(options) -> int`, whose exit code
is its verdict's (`support.verdict`). What several share is in `support`.
"""
