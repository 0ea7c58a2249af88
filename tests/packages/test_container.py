"""The image of the Containerfile, as far as it can be tried where no images can be fetched: the steps of its last stage
are carried out in a Debian, and its command runs there as its user, on a root that cannot be written to."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import needs

from .building import ROOT, Built
from .machine import Machine, Serving

pytestmark = pytest.mark.slow


def stage() -> dict[str, list[str]]:
    """The instructions of the last stage, with what each was given."""
    text = (ROOT / "Containerfile").read_text().rpartition("\nFROM ")[2]
    found: dict[str, list[str]] = {}
    for line in text.splitlines()[1:]:
        name, _, given = line.partition(" ")
        found.setdefault(name, []).append(given)
    return found


class ReadOnly(Machine):
    """All but /data is mounted read-only, in a namespace of mounts for each program."""

    def command(self, *command: str, user: str = "") -> list[str]:
        steps = (
            f"mount --bind {self.path} {self.path} && mount --bind {self.path}/data {self.path}/data && "
            f"mount -o remount,bind,ro {self.path} && exec {shlex.join(super().command(*command, user=user))}"
        )
        return [needs.program("unshare"), "--mount", "sh", "-c", steps]


def test_the_image_serves_on_a_root_that_is_read_only(built: Built, tmp_path: Path) -> None:
    found = stage()
    machine = ReadOnly(built, tmp_path / "machine")
    [copied] = found["COPY"]
    assert copied.split() == ["--from=build", "/work/frozen/chatnode", "/usr/lib/chatnode"]
    subprocess.run(["cp", "--archive", built.directory, machine.path / "usr/lib/chatnode"], check=True)
    for step in found["RUN"]:
        subprocess.run(["chroot", machine.path, "sh", "-ec", step], check=True)
    assert found["VOLUME"] == ["/data"]
    [user], [variables] = found["USER"], found["ENV"]
    settings = dict(each.split("=", 1) for each in variables.split())
    assert settings["CHATNODE_SERVER__BIND"] == "*:8008"
    settings["CHATNODE_SERVER__BIND"] = "127.0.0.1:0"
    command = json.loads(found["ENTRYPOINT"][0])
    health = json.loads(re.sub(r".*CMD ", "", found["HEALTHCHECK"][0]))

    machine.run("sh", "-c", "touch /data/x && ! touch /x", user=user)
    assert "Read-only" in machine.run("touch", "/x", user=user, status=1)
    machine.run(*health, user=user, status=1, **settings)
    machine.run(*command, "user", "add", "ann", "--no-password", user=user, **settings)
    token = machine.run(*command, "token", "create", "ann", user=user, **settings).split()[-1]
    node = Serving(machine, *command, user=user, **settings)
    try:
        assert '"version"' in machine.run(*health, user=user, **settings)
        assert node.call("people.me", token)["person"]["handle"] == "ann"
        (machine.path / "data" / built.plugin.name).write_bytes(built.plugin.read_bytes())
        installed = machine.run(*command, "plugin", "install", f"/data/{built.plugin.name}", user=user, **settings)
        assert "ok     hello 1.0" in installed
        assert found["STOPSIGNAL"] == ["SIGTERM"]
        node.stop()
    finally:
        if node.process.poll() is None:
            node.process.kill()
