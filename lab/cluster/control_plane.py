"""The control plane's processes: etcd, API server, controller manager, scheduler; their command lines.

They run on the control machine, outside every zone, as a cloud's managed control plane does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.cluster.layout import API_PORT, CONTROL, POD_NETWORK, SERVICE_NETWORK
from lab.cluster.machine import Boot, Service

ETCD_URL = "http://127.0.0.1:2379"
MONITOR_GRACE_SECONDS = 20
"""How long a node may be silent before it is NotReady. Upstream's default is 50 s; cloud providers that
tune for failover use 16 to 40 s, and facts/lab.md measured the lab with 20 s."""


def boot(tools: Mapping[str, Path], pki: Path, folder: Path) -> Boot:
    """Return what the control machine runs.

    Args:
        tools: Binaries by tool name.
        pki: Folder of certificates.
        folder: State folder of the machine: kubeconfigs, etcd data and logs.
    """
    etcd = Service(
        "etcd",
        [
            str(tools["etcd"]), "--name=control", f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={ETCD_URL}", f"--advertise-client-urls={ETCD_URL}",
            "--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
            "--initial-cluster=control=http://127.0.0.1:2380", "--unsafe-no-fsync", "--logger=zap",
        ],
        ready=["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/2379"],
    )  # fmt: skip
    return Boot(
        hostname=CONTROL.name,
        logs=str(folder / "logs"),
        directories=[str(folder / "etcd")],
        services=[
            etcd,
            Service("kube-apiserver", [str(tools["kube-apiserver"]), *api_server_flags(pki)]),
            Service(
                "kube-controller-manager",
                [str(tools["kube-controller-manager"]), *controller_flags(pki, folder)],
            ),
            Service(
                "kube-scheduler",
                [
                    str(tools["kube-scheduler"]),
                    f"--kubeconfig={folder / 'scheduler.conf'}",
                    "--leader-elect=false",
                ],
            ),
        ],
    )


def api_server_flags(pki: Path) -> list[str]:
    """Return the API server's command line; Pod Security admission is among its defaults."""
    return [
        f"--etcd-servers={ETCD_URL}",
        f"--bind-address={CONTROL.address}",
        f"--advertise-address={CONTROL.address}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        # Node names are in no DNS here.
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
        # Webhooks and aggregated APIs are reached by pod address: the control machine runs no kube-proxy.
        "--enable-aggregator-routing=true",
    ]


def controller_flags(pki: Path, folder: Path) -> list[str]:
    """Return the controller manager's command line."""
    return [
        f"--kubeconfig={folder / 'controller-manager.conf'}",
        "--leader-elect=false",
        f"--cluster-cidr={POD_NETWORK}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        "--use-service-account-credentials",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        f"--node-monitor-grace-period={MONITOR_GRACE_SECONDS}s",
        # Its default is below /usr/libexec of the host, where it would be made.
        f"--flex-volume-plugin-dir={folder / 'flex-volumes'}",
        # Each node's pod network is fixed in its CNI configuration.
        "--controllers=*,-node-ipam-controller",
    ]
