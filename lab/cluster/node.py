"""A Kubernetes node: configuration of containerd, CNI, kubelet and kube-proxy, and what its machine boots.

Every path that the node's software writes is inside the node's state folder or bound over a fixed path
in the node's own mount namespace, so nodes never see each other's files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.cluster import cgroups
from lab.cluster.layout import DNS_ADDRESS, POD_NETWORK, Node
from lab.cluster.machine import PYTHON, Boot, Service

SANDBOX_IMAGE = "lab.local/pause:3"
VOLUME_AGENT = Path(__file__).with_name("volume_agent.py")
REGION = "lab"
RUNTIME_FOLDERS = ("/opt/containerd", "/usr/libexec/kubernetes", "/var/lib/kubelet")
"""Folders that containerd and kubelet make at fixed paths whatever they are told; a node has its own."""


def runtime_socket(node: Node) -> Path:
    """Return containerd's socket; on a short path, because a socket's path holds 107 characters at most."""
    return Path("/run/routerfleet") / node.name / "containerd.sock"


def _boot_state(node: Node) -> Path:
    """Return the folder of what must not survive a power cut, as /run on any machine."""
    return runtime_socket(node).parent / "state"


def write_configuration(node: Node, folder: Path, pki: Path, cni: Path) -> None:
    """Write every configuration file of the node into its state folder; `cni` is where its plugins are."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime_socket(node).parent.mkdir(parents=True, exist_ok=True)
    (folder / "cni").mkdir(exist_ok=True)
    (folder / "cni" / "10-lab.conflist").write_text(json.dumps(cni_configuration(node)))
    (folder / "containerd.toml").write_text(containerd_configuration(node, folder, cni))
    (folder / "kubelet.json").write_text(json.dumps(kubelet_configuration(node, folder, pki), indent=1))
    (folder / "resolv.conf").write_text("options ndots:1\n")


def cni_configuration(node: Node) -> dict[str, Any]:
    """Return the CNI chain: one routed veth per pod, addresses from the node's own network.

    `ptp` rather than `bridge`: pods of one node then reach each other through the node's routing, where
    kube-proxy's rules see the traffic, without the br_netfilter module.
    """
    return {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": node.pod_network}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def containerd_configuration(node: Node, folder: Path, cni: Path) -> str:
    """Return containerd 1.6's configuration (TOML, version 2)."""
    return f"""version = 2
root = "{folder / "containerd"}"
state = "{_boot_state(node)}"
oom_score = 0
[grpc]
  address = "{runtime_socket(node)}"
[plugins."io.containerd.grpc.v1.cri"]
  # Without CAP_SYS_RESOURCE the kernel refuses to lower a score, and every sandbox would fail.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  sandbox_image = "{SANDBOX_IMAGE}"
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{folder / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def kubelet_configuration(node: Node, folder: Path, pki: Path) -> dict[str, Any]:
    """Return the KubeletConfiguration object."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(pki / f"{node.name}.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.ROOT}/{node.name}",
        "containerRuntimeEndpoint": f"unix://{runtime_socket(node)}",
        "podLogsDir": str(folder / "pod-logs"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "resolvConf": str(folder / "resolv.conf"),
        # Nodes share the host's disk: kubelet's own thresholds (15 % free) would evict pods on a machine
        # whose disk is merely well used. The lab checks free space itself before it starts.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "4s",
        "maxPods": 110,
        "serializeImagePulls": False,
    }


def boot(node: Node, folder: Path, tools: Mapping[str, Path]) -> Boot:
    """Return what the node's machine runs: container runtime, volume agent, kubelet, kube-proxy."""
    socket = runtime_socket(node)
    kubelet = [
        str(tools["kubelet"]), f"--config={folder / 'kubelet.json'}", f"--kubeconfig={folder / 'kubelet.conf'}",
        f"--root-dir={folder / 'kubelet'}", f"--hostname-override={node.name}", f"--node-ip={node.address}",
        f"--node-labels=topology.kubernetes.io/zone={node.zone},topology.kubernetes.io/region={REGION}",
    ]  # fmt: skip
    kube_proxy = [
        str(tools["kube-proxy"]), f"--kubeconfig={folder / 'kube-proxy.conf'}", "--proxy-mode=iptables",
        f"--hostname-override={node.name}", f"--cluster-cidr={POD_NETWORK}",
        # These sysctls belong to the host's kernel, which is not the lab's to tune.
        "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
    ]  # fmt: skip
    return Boot(
        hostname=node.name,
        logs=str(folder / "logs"),
        directories=[str(folder / name) for name in ("containerd", "kubelet", "volumes", "pod-logs")],
        binds={
            "/var/lib/cni": str(folder / "cni-state"),
            "/var/log/containers": str(folder / "container-logs"),
        },
        tmpfs=["/run/containerd", *RUNTIME_FOLDERS, str(_boot_state(node))],
        services=[
            Service(
                "containerd",
                [str(tools["containerd"]), "--config", str(folder / "containerd.toml")],
                # Kubelet gives up on a runtime that listens but still loads: ask it something.
                ready=[
                    str(tools["ctr"]),
                    "--address",
                    str(socket),
                    "--namespace",
                    "k8s.io",
                    "containers",
                    "list",
                    "-q",
                ],
            ),
            Service(
                "volume-agent",
                volume_agent(node, folder),
                ready=["test", "-e", str(_boot_state(node) / "volumes-mounted")],
            ),
            Service("kubelet", kubelet),
            Service("kube-proxy", kube_proxy),
        ],
    )


def volume_agent(node: Node, folder: Path) -> list[str]:
    """Return the command of the node's volume agent; it mounts the node's volumes before kubelet starts."""
    return [
        PYTHON, "-I", str(VOLUME_AGENT), "--node", node.name, "--folder", str(folder / "volumes"),
        "--kubeconfig", str(folder / "volume-agent.conf"), "--ready-file", str(_boot_state(node) / "volumes-mounted"),
    ]  # fmt: skip
