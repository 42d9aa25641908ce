"""Pulumi components, one per file. They declare what pure functions decided, and read no configuration."""
