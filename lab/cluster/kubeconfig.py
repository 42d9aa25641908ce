"""Kubeconfig files, one per identity. Certificates are named by path, so that a file holds no key."""

from __future__ import annotations

import json
from pathlib import Path

from lab.cluster.layout import API_URL, CLUSTER_NAME


def write(path: Path, pki: Path, certificate: str) -> None:
    """Write a kubeconfig at `path` for the client certificate `certificate` of the folder `pki`."""
    user = {
        "client-certificate": str(pki / f"{certificate}.crt"),
        "client-key": str(pki / f"{certificate}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CLUSTER_NAME,
                "cluster": {"server": API_URL, "certificate-authority": str(pki / "ca.crt")},
            }
        ],
        "users": [{"name": certificate, "user": user}],
        "contexts": [{"name": CLUSTER_NAME, "context": {"cluster": CLUSTER_NAME, "user": certificate}}],
        "current-context": CLUSTER_NAME,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(config, indent=1))
    partial.chmod(0o600)
    partial.replace(path)
