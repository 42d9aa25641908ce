"""`python -m worker.demo`: six simultaneous deployments of three tenants, watched live.

`deployments` says what is deployed, `watch` follows it, `display` shows it, `embedded` runs everything it
needs on this machine when `TEMPORAL_ADDRESS` names no server, and `command` puts them together.
"""
