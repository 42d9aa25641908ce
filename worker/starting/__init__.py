"""Starts deployments, rollouts and maintenance windows: none lost, none twice."""
