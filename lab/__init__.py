"""A real three-zone Kubernetes on one Linux machine, without Docker, and the tools that build it.

`toolchain` finds or builds every binary, `images` assembles container images, `cluster` runs the machines,
`provider` stands in for Pulumi's kubernetes plugin where the vendor's own cannot be downloaded.
The lab knows nothing of what is deployed on it, and nothing else imports it: it is a command line.
"""
