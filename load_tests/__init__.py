"""Load and failover drills with a verdict. Nothing lives here yet; `tests/live/test_failover.py` has the first ones."""
