"""The Pulumi program: one stack file becomes a multi-zone Temporal with its database, balancer and workers.

`settings` reads and refuses, `sizing`, `rendering` and `names` decide (pure), `program` wires `components`
together, `outputs` is what others may know of a running stack. `preflight` alone looks at the live cluster.
"""
