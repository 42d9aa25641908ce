"""The renderer, and which lines of a configuration count."""

from __future__ import annotations

import pytest

from worker.errors import TemplateInvalidError
from worker.routers import normal_form
from worker.routers.rendering import render


def test_render_fills_in_and_drops_comments() -> None:
    template = "! head\nhostname $name\n\n  ntp server ${ntp}  \n  ! aside\nbanner $$\n"

    assert render("r1", template, {"name": "x", "ntp": "192.0.2.1"}) == (
        "hostname x",
        "  ntp server 192.0.2.1",
        "banner $",
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("hostname $name", "r1: variable 'name' has no value"),
        ("cost 5$", "r1: template is malformed: Invalid placeholder in string: line 1, col 7"),
        ("! nothing\n\n", "r1: template renders to nothing"),
        ("$name", "r1: variable 'name' has no value"),
    ],
)
def test_render_refuses(template: str, message: str) -> None:
    with pytest.raises(TemplateInvalidError) as caught:
        render("r1", template, {})

    assert str(caught.value) == message


def test_render_refuses_what_variables_leave_empty() -> None:
    with pytest.raises(TemplateInvalidError) as caught:
        render("r1", "$name", {"name": " "})

    assert str(caught.value) == "r1: template renders to nothing"


@pytest.mark.parametrize(
    ("platform", "template", "lines"),
    [
        ("junos", "# head\nset system host-name a\n", ("set system host-name a",)),
        ("eos", "! head\nrouter bgp 1\n   !! kept\n", ("router bgp 1", "   !! kept")),
        ("ios", "banner motd ^C\n! text\n\n^C\n! comment\n", ("banner motd ^C", "! text", "", "^C")),
        ("ios", "banner motd ^Cone line^C\n! comment\n", ("banner motd ^Cone line^C",)),
        ("nxos", "banner motd #\n! text\n#\n! comment\n", ("banner motd #", "! text", "#")),
        ("eos", "banner motd\n! text\nEOF\n! comment\n", ("banner motd", "! text", "EOF")),
        ("frr", "banner motd line #1\n! comment\nhostname a\n", ("banner motd line #1", "hostname a")),
    ],
)
def test_render_keeps_what_the_platform_needs(platform: str, template: str, lines: tuple[str, ...]) -> None:
    assert render("r1", template, {}, platform) == lines


@pytest.mark.parametrize(
    ("platform", "text", "lines"),
    [
        (
            "ios",
            (
                "Building configuration...\n\nCurrent configuration : 1024 bytes\n!\nversion 15.2\nhostname a\n"
                "file prompt quiet\nntp clock-period 17180\n!\nend\n"
            ),
            ("version 15.2", "hostname a"),
        ),
        ("iosxr", "Mon Nov 23 10:00:00.123 UTC\n!! IOS XR\nhostname a\nend\n", ("hostname a",)),
        (
            "nxos",
            "\n!Command: show running-config\n!Time: Mon Nov 23 10:00:00 2026\n\nversion 9.3\n",
            ("version 9.3",),
        ),
        ("eos", "! device: a (vEOS, EOS-4.30.1F)\n!\nhostname a\n!\nend\n", ("hostname a",)),
        ("junos", "\n## Last commit: 2026-11-23\nset system host-name a\n\n", ("set system host-name a",)),
    ],
)
def test_read_drops_what_stands_around_and_what_changes_by_itself(
    platform: str, text: str, lines: tuple[str, ...]
) -> None:
    assert normal_form.read(platform, text) == lines


def test_revision_tells_configurations_apart() -> None:
    one, moved, nested = ("a", "b"), ("b", "a"), ("a", " b")

    assert normal_form.revision(one) == "7e18f737311b2dc3"
    assert len({normal_form.revision(lines) for lines in (one, moved, nested, ())}) == 4
