"""Workflows: one per file, deterministic, without side effects at import."""
