"""A stand-in for the vendor's kubernetes resource plugin, for machines that reach only package registries.

It speaks Pulumi's provider protocol on one side and server-side apply to a real API server on the other, and
behaves as pulumi-kubernetes does for the part that is modelled here. What is not modelled is refused, never
quietly accepted: a stand-in that is more lenient than the original would let a program pass that fails elsewhere.

Layers, lowest first:
    values, objects, replacement, readiness, waitfor, explain   pure decisions over plain JSON values
    kubeconfig, api, awaiting                                   the API server
    operations, servicer, replies                               Pulumi's provider protocol
"""
