"""Pure functions from settings to the text that processes read. No Pulumi, no I/O."""
