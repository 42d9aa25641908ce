"""What several benchmarks need: the processes under test, their memory, and verdicts."""
