"""What crosses Temporal's boundaries: one dataclass in and one out per workflow, update, query and activity.

Fields are only ever added, with a default, so that a running deployment survives a new release of the
worker; a caller that relies on a new field says so by raising `version`, which an older worker refuses
instead of ignoring. A configuration is a tuple of lines, indentation kept; order is the router's own.
"""
