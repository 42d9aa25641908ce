"""The three-zone Kubernetes of the lab: machines made of namespaces, and the control plane beside them.

`layout` says what there is and at which address; `network`, `machine`, `control_plane`, `node`, `addons`
and `volumes` build one part each; `lifecycle` orders them into up, down and status; `faults` breaks zones.
Nothing here knows what runs on the cluster.
"""
