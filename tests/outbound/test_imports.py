"""A node that sends nothing imports nothing for it."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.outbound import client as client_module
from chatnode.outbound.errors import Failed
from tests.outbound.sites import outbound, purpose, site

ROOT = Path(__file__).parents[2]
LATER = ("httpcore2", "truststore", "h11", "anyio", "socksio")


def imported() -> list[str]:
    return [name for name in LATER if name in sys.modules]


async def open_and_send(data: Path) -> None:
    import chatnode.api  # noqa: F401

    async with open_node(data, Config(), only=()):
        assert imported() == []
    async with site() as there, outbound(there.place) as client:
        assert imported() == []
        assert (await client.request(purpose(), "GET", there.url())).body == b"ok"
    assert "httpcore2" in imported()


def test_httpcore2_is_imported_with_the_first_request(tmp_path: Path) -> None:
    program = "import sys, trio; from pathlib import Path; from tests.outbound.test_imports import open_and_send\n"
    program += "trio.run(open_and_send, Path(sys.argv[1]))"
    words = [sys.executable, "-c", program, str(tmp_path / "data")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_the_clients_first_requests_load_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = client_module._make_network, list[Any]()

    def counted(proxy: Any) -> Any:
        made.append(make(proxy))
        return made[-1]

    monkeypatch.setattr(client_module, "_make_network", counted)
    async with site() as there, outbound(there.place) as client, trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(client.request, purpose(), "GET", there.url())
    assert len(made) == 1


async def test_a_failed_import_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make, failures = client_module._make_network, [OSError(errno.EMFILE, "too many open files")]

    def fail_first(proxy: Any) -> Any:
        if failures:
            raise failures.pop()
        return make(proxy)

    monkeypatch.setattr(client_module, "_make_network", fail_first)
    async with site() as there, outbound(there.place) as client:
        with pytest.raises(Failed, match="see its log"):
            await client.request(purpose(), "GET", there.url())
        assert "cannot be made" in caplog.text
        assert (await client.request(purpose(), "GET", there.url())).body == b"ok"
