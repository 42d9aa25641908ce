"""Everything on this machine that a lab could leave behind, without what changes by itself.

`python -m tests.lifecycle.traces > FILE` prints it as JSON, to be compared before and after. Standard library only.
Install the tools first (`python -m lab toolchain`): packages stay when the lab goes.
"""

import json
import re
import subprocess
from pathlib import Path

from lab import paths

LAB_PROCESS = re.compile(
    r"/(etcd|kube-\w+|kubelet|containerd\S*) |lab/cluster/|-m lab\b|lab\.cluster\.\w|routerfleet/lab/"
)
SYSCTLS = (
    "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.all.route_localnet",
    "vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes",
)  # fmt: skip
ANYBODYS = ("/run/mount", "/var/lib/containers")
"""Not the lab's: made by whichever mount command runs first on a machine, and by Skopeo when it pushes an image."""
FOLDERS = ("/run", "/var/lib", "/var/log", "/etc", "/opt", "/usr/libexec", "/usr/sbin")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def lines(*command: str) -> list[str]:
    return sorted(output(*command).splitlines())


def traces() -> dict[str, list[str]]:
    """Return what there is, by kind; each a sorted list."""
    state = paths.state_dir() / "lab"
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "processes of a lab": [
            line for line in lines("ps", "-e", "-ww", "-o", "args") if LAB_PROCESS.search(line)
        ],
        "network namespaces": lines("ip", "netns", "list"),
        "links": sorted(link["ifname"] for link in json.loads(output("ip", "-j", "link"))),
        "addresses": sorted(re.findall(r"inet6? (\S+)", output("ip", "address"))),
        "routes": lines("ip", "route", "show", "table", "all"),
        "neighbours": lines("ip", "neigh", "show", "nud", "permanent"),
        "mounts": sorted(line.split()[4] for line in mounts),
        "control groups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/routerfleet")),
        "sysctl": lines("sysctl", *SYSCTLS),
        "loop devices": lines("losetup", "--list", "--noheadings", "--output", "BACK-FILE"),
        "folders": sorted(
            str(path) for folder in FOLDERS for path in Path(folder).iterdir() if str(path) not in ANYBODYS
        ),
        "state": [str(state)] if state.exists() else [],
    }


if __name__ == "__main__":
    print(json.dumps(traces(), indent=1))
