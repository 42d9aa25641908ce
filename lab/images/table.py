"""Every image of the lab: its name, its user and what is inside. Data only.

Images share their lower layers: one Debian base, on it a layer per group of packages, on that the
image's own files. Users are numbers that manifests and volumes rely on, so they are fixed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.toolchain.table import BY_NAME

REGISTRY = "lab.local"
SUITE = "trixie"
PYTHON = "3.13"  # what the suite's python3 is
DIST_PACKAGES = f"usr/local/lib/python{PYTHON}/dist-packages"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class User:
    """A system user.

    Attributes:
        name: Its name; its group has the same.
        number: Its user and group id.
        home: Its home folder.
    """

    name: str
    number: int
    home: str = "/nonexistent"


@dataclass(frozen=True, slots=True)
class DebianLayer:
    """Debian packages on top of the base layer, less what no container needs.

    Attributes:
        name: Name of the layer.
        packages: Packages to install with their dependencies.
        prune: Globs below the root to remove afterwards.
        users: Users that the packages make themselves and that get our numbers afterwards.
        is_compiled: Whether Python's standard library is compiled into it.
    """

    name: str
    packages: tuple[str, ...]
    prune: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    is_compiled: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image.

    Attributes:
        repository: Name below the lab's registry prefix.
        tag: Tag; empty for this project's own, whose tags are hashes of their sources.
        user: Numeric user and group it runs as.
        command: Default command, for people; manifests give their own.
        is_on_base: Whether the Debian base lies below; else the image is its files alone.
        debian: Package layer on the base.
        tools: Path in the image -> tool of the toolchain's table.
        links: Path in the image -> target of a symbolic link.
        environment: Variables besides PATH and LANG, or in their place.
        package: Package of this project that goes in; none when empty.
    """

    repository: str
    tag: str
    user: int
    command: tuple[str, ...]
    is_on_base: bool = True
    debian: DebianLayer | None = None
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    package: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Whole environment of a container."""
        return {"PATH": _PATH, "LANG": "C.UTF-8", **self.environment}


# In every image on the Debian base.
USERS = (
    User("postgres", 26, "/var/lib/postgresql"),
    User("pgbouncer", 998),
    User("temporal", 1000),
    User("temporal-ui", 5000),
    User("routerfleet", 10001),
)

# Perl beyond perl-base serves Debian's cluster scripts, LLVM and Z3 serve just-in-time compilation,
# which PostgreSQL leaves out by itself when its library is not there.
_PERL = ("usr/share/perl/*", "usr/share/perl5/*", "usr/lib/*/perl/*", "usr/lib/*/libperl.so*")
_JIT = (
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3.so*",
    "usr/lib/llvm-*",
    "usr/lib/postgresql/*/lib/bitcode",
    "usr/lib/postgresql/*/lib/llvmjit*",
)

BASE = DebianLayer("base", ("ca-certificates",))
POSTGRESQL = DebianLayer(
    "postgresql",
    ("postgresql-17",),
    # The package makes a database cluster of its own while it is installed.
    prune=(*_PERL, *_JIT, "usr/share/i18n/*", "etc/postgresql/*", "var/lib/postgresql/*"),
)
PGBOUNCER = DebianLayer("pgbouncer", ("pgbouncer",), prune=_PERL)
# adduser refuses to find its haproxy under a number below 100.
HAPROXY = DebianLayer("haproxy", ("haproxy",), users=(User("haproxy", 99),))
PYTHON3 = DebianLayer("python3", ("python3",), is_compiled=True)


def _version(tool: str) -> str:
    return BY_NAME[tool].version


RECIPES: dict[str, Recipe] = {
    "pause": Recipe(
        "pause", _version("pause"), 65534, ("/pause",), is_on_base=False, tools={"/pause": "pause"}
    ),
    "coredns": Recipe(
        "coredns",
        _version("coredns"),
        65532,
        ("/coredns",),
        is_on_base=False,
        tools={"/coredns": "coredns"},
    ),
    "temporal_server": Recipe(
        "temporal-server",
        _version("temporal-server"),
        1000,
        ("/usr/local/bin/temporal-server", "start"),
        tools={"/usr/local/bin/temporal-server": "temporal-server"},
    ),
    "temporal_admin_tools": Recipe(
        "temporal-admin-tools",
        _version("temporal-sql-tool"),
        1000,
        ("/usr/local/bin/temporal-sql-tool", "--help"),
        tools={
            "/usr/local/bin/temporal-sql-tool": "temporal-sql-tool",
            "/etc/temporal/schema": "temporal-schema",
        },
    ),
    "temporal_ui": Recipe(
        "temporal-ui",
        _version("temporal-ui"),
        5000,
        ("/home/ui-server/ui-server", "start"),
        tools={"/home/ui-server/ui-server": "temporal-ui"},
    ),
    "haproxy": Recipe(
        "haproxy",
        "3.0",
        99,
        ("/usr/sbin/haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"),
        debian=HAPROXY,
        links={"/usr/local/sbin/haproxy": "/usr/sbin/haproxy"},
    ),
    "postgresql": Recipe(
        "postgresql",
        "17.12",
        26,
        ("postgres", "--version"),
        debian=POSTGRESQL,
        environment={"PATH": f"/usr/lib/postgresql/17/bin:{_PATH}"},
    ),
    "pgbouncer": Recipe(
        "pgbouncer",
        "1.24.1",
        998,
        ("/usr/bin/pgbouncer", "--version"),
        debian=PGBOUNCER,
        links={"/usr/bin/pgbouncer": "/usr/sbin/pgbouncer"},  # where the official image has it
    ),
    "cloudnative_pg": Recipe(
        "cloudnative-pg",
        _version("cloudnative-pg"),
        10001,
        ("/manager",),
        tools={"/operator/manager_amd64": "cloudnative-pg"},
        links={"/manager": "operator/manager_amd64"},
    ),
    "worker": Recipe(
        "routerfleet-worker",
        "",
        10001,
        ("/usr/bin/python3", "-m", "worker"),
        debian=PYTHON3,
        environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
        package="worker",
    ),
    "zone_watcher": Recipe(
        "routerfleet-zone-watcher",
        "",
        10001,
        ("/usr/bin/python3", "-m", "zone_watcher"),
        debian=PYTHON3,
        environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
        package="zone_watcher",
    ),
}
