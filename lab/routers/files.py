"""What stands on a router's disk when it boots: users, the SSH server's configuration, FRR's.

A router has an /etc, /home, /run and /var/tmp of its own, bound over the host's in its mount namespace, so that
the host gets no user, no key and no file.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from lab.cluster.machine import Boot, Service
from lab.routers.layout import NETWORK, PROVIDER, PROVIDER_AS, PROVIDER_PREFIXES, USER, Router

SSH_PORT = 22
USER_ID = 990
_HOST_KEY = "ssh_host_ed25519_key"
_DAEMONS = """\
bgpd=yes
vtysh_enable=yes
zebra_options="-A 127.0.0.1"
bgpd_options="-A 127.0.0.1"
staticd_options="-A 127.0.0.1"
"""
_CUSTOMER = """\
frr defaults traditional
hostname {name}
service integrated-vtysh-config
"""
_PROVIDER = """\
frr defaults traditional
hostname {name}
service integrated-vtysh-config
router bgp {asn}
 bgp router-id {address}
 no bgp ebgp-requires-policy
 timers bgp 3 9
 neighbor customers peer-group
 neighbor customers remote-as external
 bgp listen range {network} peer-group customers
 bgp listen limit 250
 address-family ipv4 unicast
{announced}
 exit-address-family
exit
"""
_PAM = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"
"""FRR's shell asks PAM; who may use it is decided by the group of its sockets, as on any Debian."""
_SSHD = """\
ListenAddress {address}
Port {port}
HostKey /etc/ssh/{host_key}
AuthorizedKeysFile /etc/ssh/authorized_keys
AllowUsers {user}
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
PermitTTY no
DisableForwarding yes
PermitUserRC no
UseDNS no
PrintMotd no
"""


def write(router: Router, folder: Path, login: str) -> None:
    """Write the router's disk, once: what it has saved since stays.

    Args:
        router: Whose.
        folder: Its state folder.
        login: Public key that may log in; empty: none, and no SSH server.
    """
    etc, frr = folder / "etc", folder / "etc" / "frr"
    for path, mode in ((etc / "ssh", 0o755), (frr, 0o2770), (folder / "home" / USER, 0o700)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    os.chown(folder / "home" / USER, USER_ID, USER_ID)
    _write_users(etc)
    (etc / "pam.d").mkdir(exist_ok=True)
    (etc / "pam.d" / "frr").write_text(_PAM)
    (etc / "ssh" / "sshd_config").write_text(
        _SSHD.format(address=router.address, port=SSH_PORT, host_key=_HOST_KEY, user=USER)
    )
    (etc / "ssh" / "authorized_keys").write_text(login)
    if not (etc / "ssh" / _HOST_KEY).exists():
        make_key(etc / "ssh" / _HOST_KEY)
    (frr / "vtysh.conf").write_text("service integrated-vtysh-config\n")
    (frr / "daemons").write_text(_DAEMONS)
    if not (frr / "frr.conf").exists():
        (frr / "frr.conf").write_text(startup(router))
    user, group = pwd.getpwnam("frr").pw_uid, grp.getgrnam("frrvty").gr_gid
    for path in (frr, *frr.iterdir()):
        os.chown(path, user, group)
        path.chmod(0o2770 if path.is_dir() else 0o660)


def clear(folder: Path) -> None:
    """Empty what the router loses in a power cut: its /run and /var/tmp."""
    run = folder / "run"
    for path in (run, folder / "tmp"):
        shutil.rmtree(path, ignore_errors=True)
    (folder / "tmp").mkdir(mode=0o1777)
    (folder / "tmp").chmod(0o1777)
    for name, user in (("frr", "frr"), ("sshd", "root")):
        (run / name).mkdir(parents=True)
        shutil.chown(run / name, user, user)


def startup(router: Router) -> str:
    """Return the configuration with which the router comes from the factory."""
    if router != PROVIDER:
        return _CUSTOMER.format(name=router.name)
    announced = "\n".join(f"  network {prefix}" for prefix in PROVIDER_PREFIXES)
    return _PROVIDER.format(
        name=router.name, address=router.address, asn=PROVIDER_AS, network=NETWORK, announced=announced
    )


def provider_addresses() -> tuple[str, ...]:
    """Return the provider edge's own address in each network that it announces."""
    return tuple(prefix.replace(".0/", ".1/") for prefix in PROVIDER_PREFIXES)


def host_key(folder: Path) -> str:
    """Return the public key by which the router proves who it is."""
    kind, key, *_ = (folder / "etc" / "ssh" / f"{_HOST_KEY}.pub").read_text().split()
    return f"{kind} {key}"


def make_key(path: Path) -> None:
    """Make an SSH key pair without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def boot(router: Router, folder: Path) -> Boot:
    """Return what the router runs: FRR under its own supervisor, and the SSH server."""
    services = [
        Service("frr", ["/usr/lib/frr/watchfrr", "-F", "traditional", "zebra", "bgpd", "staticd"]),
    ]
    if router != PROVIDER:
        services.append(Service("sshd", ["/usr/sbin/sshd", "-D", "-e"]))
    return Boot(
        hostname=router.name,
        logs=str(folder / "logs"),
        binds={
            target: str(folder / source)
            for target, source in (("/etc", "etc"), ("/home", "home"), ("/run", "run"), ("/var/tmp", "tmp"))  # noqa: S108  FRR's own
        },
        services=services,
    )


def _write_users(etc: Path) -> None:
    """Write the router's users: those of the packages under the host's numbers, and the one who logs in."""
    packaged = [pwd.getpwnam(name) for name in ("root", "frr", "sshd", "nobody")]
    users = [f"{u.pw_name}:x:{u.pw_uid}:{u.pw_gid}::{u.pw_dir}:{u.pw_shell}" for u in packaged]
    users.append(f"{USER}:x:{USER_ID}:{USER_ID}::/home/{USER}:/bin/sh")
    groups = [
        f"{name}:x:{grp.getgrnam(name).gr_gid}:{','.join(members)}"
        for name, members in (("root", ()), ("frr", ()), ("nogroup", ()), ("frrvty", ("frr", USER)))
    ]
    groups.append(f"{USER}:x:{USER_ID}:")
    (etc / "passwd").write_text("\n".join(users) + "\n")
    (etc / "group").write_text("\n".join(groups) + "\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
