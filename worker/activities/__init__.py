"""Activities: thin classes that hold their clients, validate, call a driver and report."""
