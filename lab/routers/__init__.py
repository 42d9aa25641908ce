"""Real routers on this machine: FRR in a machine of its own each, reached over SSH, beside the cluster or without it.

A provider edge and customers' routers on one network. The lab does not know who configures them: it writes an
inventory and a folder of credentials, as any network's source of truth would be exported.
"""
