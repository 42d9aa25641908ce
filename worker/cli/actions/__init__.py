"""What each command does, on Temporal."""
