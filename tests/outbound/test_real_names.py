"""The system's own resolver and a machine with a public address: in a network namespace of the test's own."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from chatnode.outbound.errors import Blocked
from tests import needs
from tests.outbound.sites import answer, answers, outbound, purpose, site
from tests.outbound.test_attacks import NameServer

ROOT = Path(__file__).parents[2]
OWN = "9.9.9.9"
SET_UP = f"""
ip link set lo up && ip address add {OWN}/32 dev lo && mount --bind "$1" /etc/resolv.conf && exec "$2" -c "$3"
"""
PROGRAM = "import trio; from tests.outbound.test_real_names import inside; trio.run(inside)"


@pytest.mark.slow
def test_names_and_own_addresses_on_a_machine_of_its_own(tmp_path: Path) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    needs.program("ip")
    isolated = [needs.program("unshare"), "--user", "--map-root-user", "--net", "--mount"]
    done = subprocess.run(
        [*isolated, "sh", "-c", SET_UP, "sh", str(resolv), sys.executable, PROGRAM],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


async def inside() -> None:
    """Runs there: port 53 is ours, and 9.9.9.9 is an address of this machine."""
    server = NameServer(["127.0.0.2"], ["127.0.0.1"])
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(server.serve, port=53))
        script = answers(answer(b"ok", connection="close"))
        async with site(script, host="127.0.0.2", port=8_080) as harmless, site(port=8_080) as victim:
            async with outbound(harmless.place) as client:
                answered = await client.request(purpose(), "GET", "http://rebind.example:8080/")
                assert (answered.body, answered.address) == (b"ok", "127.0.0.2")
                with pytest.raises(Blocked):
                    await client.request(purpose(), "GET", "http://rebind.example:8080/")
            assert victim.connections == 0
        async with site(host=OWN, port=80) as own:
            async with outbound() as client:
                with pytest.raises(Blocked, match="this machine"):
                    await client.request(purpose(), "GET", f"http://{OWN}/")
            assert own.connections == 0
            async with outbound(OWN) as client:
                assert (await client.request(purpose(), "GET", f"http://{OWN}/")).body == b"ok"
        nursery.cancel_scope.cancel()
