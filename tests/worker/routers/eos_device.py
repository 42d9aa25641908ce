"""An Arista EOS as far as NAPALM's driver uses it over SSH: a shell for FakeNOS, and the state behind it.

FakeNOS gives the SSH server; its own shell answers from a table, which cannot hold configuration sessions.
"""

from __future__ import annotations

import difflib
import functools
import io
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import paramiko
from fakenos import FakeNOS
from fakenos.plugins.servers import ssh_server_paramiko
from fakenos.plugins.shell.cmd_shell import CMDShell

from worker.routers.inventory import RouterRecord

USERNAME = "deployer"
PASSWORD = "correct-horse-battery"

_SECTION = re.compile(r"(interface|router bgp) ")
_NESTED = re.compile(r"(description|ip address|router-id|neighbor|network) ")


@dataclass
class EosDevice:
    """What the router runs and what waits."""

    running: tuple[str, ...]
    sessions: dict[str, list[str]] = field(default_factory=dict)
    pending: str = ""
    """Session that waits to be confirmed."""
    backup: tuple[str, ...] = ()
    commits: list[str] = field(default_factory=list)
    """What was done to the running configuration, in order."""
    peers: dict[str, str] = field(default_factory=dict)
    """State of the BGP session with each neighbour."""
    routes: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)
    """Configuration sessions that were opened, in order."""
    is_opened: threading.Event = field(default_factory=threading.Event)

    def answer(self, command: str) -> str:
        """Do what a command in privileged mode says, and return what it prints."""
        if match := re.fullmatch(r"configure session (\S+) (commit|abort)(?: timer (\S+))?", command):
            return self._finish(*match.groups())
        if command.endswith(" | json"):
            return json.dumps(self._facts(command.removesuffix(" | json")))
        if match := re.fullmatch(r"show session-config named (\S+)( diffs)?", command):
            return self._show_session(match[1], is_diff=bool(match[2]))
        texts = {
            "terminal width 511": "Width set to 511 columns.",
            "terminal length 0": "Pagination disabled.",
            "show running-config": "! device: eos\n!\n" + "\n!\n".join(self.running) + "\n!\nend",
            "copy startup-config flash:rollback-0": "Copy completed successfully.",
            "write memory": "Copy completed successfully.",
        }
        return texts.get(command, "" if not command else "% Invalid input")

    def configure(self, session: str, line: str) -> str:
        """Take a line in a configuration session; as the real one, it says no and goes on."""
        candidate = self.sessions[session]
        if line == "rollback clean-config":
            candidate.clear()
        elif _NESTED.match(line) and candidate:
            candidate.append(f"   {line}")
        elif _SECTION.match(line) or line.startswith(("hostname ", "ip routing")):
            candidate.append(line)
        else:
            return "% Invalid input"
        return ""

    def expire(self) -> None:
        """Let the time for confirming run out."""
        self._restore("expired")

    def _finish(self, name: str, action: str, timer: str | None) -> str:
        if action == "abort":
            if name == self.pending:
                self._restore("aborted")
            return "" if self.sessions.pop(name, None) is not None else "% Cannot abort: no such session"
        if name == self.pending:
            self.pending = ""
            self.commits.append("confirmed")
            return ""
        self.backup, self.running = self.running, tuple(self.sessions[name])
        self.pending = name if timer else ""
        self.commits.append(f"committed for {timer}" if timer else "committed")
        return ""

    def _restore(self, how: str) -> None:
        self.running, self.pending = self.backup, ""
        self.commits.append(how)

    def _show_session(self, name: str, *, is_diff: bool) -> str:
        candidate = self.sessions[name]
        if not is_diff:
            return "\n".join(candidate)
        return "\n".join(difflib.unified_diff(self.running, candidate, lineterm="", n=0))

    def _facts(self, command: str) -> dict[str, object]:
        if command == "show version":
            return {"version": "4.30.1F", "uptime": 1000.0}
        if command == "show configuration sessions detail":
            return {
                "sessions": {self.pending: {"state": "pendingCommitTimer", "commitBy": 1600.0}}
                if self.pending
                else {}
            }
        if command == "show interfaces":
            facts = {"lineProtocolStatus": "up", "description": "", "mtu": 1500, "bandwidth": 10**9}
            return {"interfaces": {"Ethernet1": facts | {"physicalAddress": "52:54:00:00:00:01"}}}
        if command == "show vrf":
            return {"vrfs": {"default": {"interfaces": ["Ethernet1"], "routeDistinguisher": ""}}}
        if match := re.fullmatch(r"show ip route vrf default (\S+)\s+detail", command):
            found = {match[1]: {"routeType": "connected", "vias": []}} if match[1] in self.routes else {}
            return {"vrfs": {"default": {"routes": found}}}
        return self._bgp(command)

    def _bgp(self, command: str) -> dict[str, object]:
        if command.endswith("summary vrf all"):
            return {"vrfs": {"default": {"routerId": "192.0.2.1", "peers": {}}}}
        if command != "show ip bgp neighbors vrf all":
            return {"vrfs": {}}
        counters = dict.fromkeys(
            ("prefixesReceived", "prefixesSent", "v6PrefixesReceived", "v6PrefixesSent"), 0
        )
        peers = [
            {"peerAddress": address, "state": state, "idleReason": "", "localAsn": "65001", "asn": "65000"}
            | {"routerId": "192.0.2.2", **counters}
            for address, state in self.peers.items()
        ]
        return {"vrfs": {"default": {"peerList": peers}}}


class EosShell(CMDShell):
    """What a person would type at: prompts and modes."""

    def __init__(self, *, device: EosDevice, **values: Any) -> None:
        super().__init__(**values)
        self._device = device
        self._session = ""

    def default(self, line: str) -> bool:
        command = " ".join(line.split())
        entered = re.fullmatch(r"configure session (\S+)", command)
        if command == "exit" and not self._session:
            return True
        if entered:
            self._session = entered[1]
            self._device.sessions.setdefault(self._session, [])
            self._device.opened.append(self._session)
            self._device.is_opened.set()
            self.prompt = f"{self.base_prompt}(config-s-{self._session[:6]})#"
        elif command in {"end", "exit"}:
            self._session = ""
            self.prompt = f"{self.base_prompt}#"
        elif self._session:
            self.writeline(self._device.configure(self._session, command))
        else:
            self.writeline(self._device.answer(command))
        return not self.is_running.is_set()


@contextmanager
def running(device: EosDevice) -> Iterator[RouterRecord]:
    """Have the device on an SSH server of its own, and give its record."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inventory = {
        "default": {"username": USERNAME, "password": PASSWORD},
        "hosts": {"eos1": {"port": port, "platform": "arista_eos"}},
    }
    network = FakeNOS(inventory)
    network.shell_plugins["CMDShell"] = cast("Any", functools.partial(_shell, device))
    with network:
        key = paramiko.RSAKey(file_obj=io.StringIO(ssh_server_paramiko.DEFAULT_SSH_KEY))
        options = {"transport": "ssh", "host_key": f"ssh-rsa {key.get_base64()}"}
        yield RouterRecord("eos1", "chogar", "eos", host="127.0.0.1", port=port, options=options)


def _shell(device: EosDevice, **values: Any) -> EosShell:
    shell = EosShell(device=device, **values)
    shell.prompt = f"{shell.base_prompt}#"
    return shell
