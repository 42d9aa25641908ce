"""A Go module that costs nothing, and a `go` that builds it as told."""

from pathlib import Path

from lab.toolchain.model import GoModule, GoTool, ModuleFiles

MODULE = GoModule("hammer", "example.com/hammer", "1.2.3", seconds=1, disk_mib=1)
HAMMER = GoTool("hammer", MODULE, "cmd/hammer", version_command=("--version",))
SLEDGE = GoTool("sledge", MODULE, "cmd/heavy", scripts=("scripts/swing",))
MANUAL = ModuleFiles("hammer-manual", MODULE, "manual")

GO = """#!/bin/sh
echo "$@" >> "$FAKE_GO_CALLS"
case "$1" in
env) case "$3" in "") echo go1.26.8 ;; *) printf 'go1.26.8\\nlocal\\n/tmp\\n' ;; esac ;;
list) echo "$FAKE_MODULE" ;;
build)
  if [ -n "$FAKE_GO_FAILS" ]; then echo "hammer.go:7: no handle"; exit 1; fi
  while [ "$1" != -o ]; do shift; done
  out=$2; shift 2
  for package in "$@"; do
    printf 'half' > "$out$(basename "$package")"
    if [ -n "$FAKE_GO_HANGS" ]; then sleep 30; fi
    printf '#!/bin/sh\\necho 1.2.3\\n' > "$out$(basename "$package")"
    chmod 755 "$out$(basename "$package")"
  done ;;
esac
"""


def lay_out(root: Path) -> dict[str, str]:
    """Write the pinning module, the upstream module and `go`; return the environment they need."""
    pin = root / "gomodules" / "hammer"
    pin.mkdir(parents=True)
    (pin / "go.mod").write_text("module lab/hammer\n\ngo 1.26.0\n\nrequire example.com/hammer v1.2.3\n")
    (pin / "go.sum").write_text("example.com/hammer v1.2.3 h1:aaaa=\n")
    upstream = root / "upstream"
    (upstream / "scripts").mkdir(parents=True)
    (upstream / "scripts" / "swing").write_text("swing it\n")
    (upstream / "manual" / "part").mkdir(parents=True)
    (upstream / "manual" / "part" / "one.txt").write_text("hold the other end\n")
    programs = root / "programs"
    programs.mkdir()
    (programs / "go").write_text(GO)
    (programs / "go").chmod(0o755)
    (root / "calls").touch()
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        "ROUTERFLEET_CACHE": str(root / "cache"),
        "FAKE_GO_CALLS": str(root / "calls"),
        "FAKE_MODULE": str(upstream),
    }


def builds(root: Path) -> int:
    """Return how many times `go build` ran."""
    return sum(line.startswith("build ") for line in (root / "calls").read_text().splitlines())
