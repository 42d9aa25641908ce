"""`python -m worker.demo`: six simultaneous deployments of three tenants, watched live.

`deployments` says what is deployed, `fleets` to what routers, `watch` follows it, `display` shows it, `proof`
adds what only real routers can show, `embedded` runs everything it needs on this machine when
`TEMPORAL_ADDRESS` names no server, and `command` puts them together.
"""
