"""The Debian package: installed, upgraded, removed and purged on a Debian without Python, and without a systemd that
runs."""

from __future__ import annotations

import os
import subprocess

import pytest

from chatnode import __version__
from tests import needs

from .building import OLDER, Built
from .machine import Machine, serving

pytestmark = pytest.mark.slow

DATA = "/var/lib/chatnode"
PROGRAM = ("chatnode", "--data", DATA)
WANTED = "/etc/systemd/system/multi-user.target.wants/chatnode.service"
CONFIG = "/etc/chatnode/config.toml"


def dpkg(machine: Machine, *arguments: str) -> str:
    return machine.run("dpkg", *arguments, DEBIAN_FRONTEND="noninteractive")


def test_it_comes_and_goes(built: Built, machine: Machine) -> None:
    for package in (built.deb, built.older_deb, built.plugin):
        (machine.path / package.name).write_bytes(package.read_bytes())
    dpkg(machine, "--install", f"/{built.older_deb.name}")
    status = machine.run("dpkg-query", "--show", "--showformat", "${Status} ${Version}", "chatnode")
    assert status == f"install ok installed {OLDER}"
    assert machine.run("chatnode", "--version") == f"chatnode, version {__version__}\n"
    assert "/var/lib/chatnode" in machine.run("getent", "passwd", "chatnode")
    assert machine.run("stat", "--format", "%U:%G %a", DATA, "/etc/chatnode").split("\n")[:2] == [
        "chatnode:chatnode 700",
        "root:chatnode 750",
    ]
    assert machine.has(WANTED)

    # It runs as its own user, with the settings of /etc; so do commands of root, and what those install is its user's.
    (machine.path / CONFIG.lstrip("/")).write_text("[plugins]\ndisabled = ['crm']\n")
    machine.run(*PROGRAM, "user", "add", "ann", "--no-password", user="chatnode")
    token = machine.run(*PROGRAM, "token", "create", "ann").split()[-1]
    machine.run(*PROGRAM, "plugin", "install", f"/{built.plugin.name}")
    roots = machine.run("find", DATA, "-user", "root").split()
    assert roots == [f"{DATA}/config.toml"]  # a link to the settings
    with serving(machine, *PROGRAM, user="chatnode") as node:
        group = node.call("conversations.create", token, title="garden")["conversation"]
        node.call("messages.post", token, conversation=group, cid="one", text="before the upgrade")

    # An upgrade keeps the settings, the data and the plugins.
    dpkg(machine, "--install", f"/{built.deb.name}")
    status = machine.run("dpkg-query", "--show", "--showformat", "${Status} ${Version}", "chatnode")
    assert status == f"install ok installed {__version__}"
    assert machine.has(WANTED)
    with serving(machine, *PROGRAM, user="chatnode") as node:
        messages = node.call("messages.list", token, conversation=group)["messages"]
        assert [each["text"] for each in messages] == ["before the upgrade"]
        listed = machine.run(*PROGRAM, "plugin", "list")
        assert "crm              0.1.0      disabled" in listed
        assert "hello            1.0        running" in listed

    dpkg(machine, "--remove", "chatnode")
    assert not machine.has("/usr/lib/chatnode")
    assert not machine.has("/usr/bin/chatnode")
    assert machine.has(f"{DATA}/chatnode.sqlite3")
    assert machine.has(CONFIG)

    said = dpkg(machine, "--purge", "chatnode")
    assert "deleting /var/lib/chatnode with all messages, accounts and files" in said
    left = [path for path in (DATA, CONFIG, "/etc/chatnode", WANTED) if machine.has(path)]
    assert left == []
    assert not os.path.lexists(machine.path / "etc/systemd/system/chatnode.service")


def test_lintian_finds_no_fault(built: Built) -> None:
    lintian = needs.program("lintian")
    found = subprocess.run([lintian, "--allow-root", built.deb], capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("", 0)


def test_the_unit_is_sound(built: Built, machine: Machine) -> None:
    needs.program("systemd-analyze")
    subprocess.run(["dpkg-deb", "--extract", built.deb, machine.path], check=True)
    unit = machine.read("/usr/lib/systemd/system/chatnode.service")
    assert "ExecStart=/usr/bin/chatnode --data /var/lib/chatnode serve\n" in unit
    assert "User=chatnode\n" in unit
    assert "DynamicUser" not in unit
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={machine.path}",
         "chatnode.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_the_package_says_what_it_is(built: Built) -> None:
    shown = subprocess.run(["dpkg-deb", "--field", built.deb], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(": ", 1) for line in shown.splitlines() if not line.startswith(" "))
    assert (fields["Package"], fields["Version"]) == ("chatnode", __version__)
    assert "libc6 (>= 2.36)" in fields["Depends"]
    listed = subprocess.run(["dpkg-deb", "--contents", built.deb], capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in listed.splitlines()} == {"root/root"}
    assert "/usr/bin/chatnode -> ../lib/chatnode/chatnode" in listed or "-> /usr/lib/chatnode/chatnode" in listed
