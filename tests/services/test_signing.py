"""Signed links: what a plugin signs, only this node can have signed, and only for a while."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnode.api import Context
from chatnode.dispatch.signing import KEY_DAYS, MOST_SECONDS, Signer
from chatnode.node import Node
from tests.plugins.surface.making import made, node_with

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the clock on by seconds."""
    ahead, true_time = [0], time.time_ns

    def move(seconds: float) -> None:
        ahead[0] += int(seconds * 1e9)

    monkeypatch.setattr(time, "time_ns", lambda: true_time() + ahead[0])
    return move


def context(node: Node, name: str = "demo") -> Context:
    return node.plugins.loaded[name].context


async def test_a_signature_is_for_one_purpose_of_one_plugin_and_these_fields(tmp_path: Path) -> None:
    async with node_with(tmp_path, made("demo"), made("other")) as node:
        ctx = context(node)
        signature = ctx.sign("download", "file", 7, seconds=60)
        assert ctx.verify(signature, "download", "file", 7)
        assert ctx.verify(signature, "download", "file", "7")  # as it comes back in a URL
        assert not ctx.verify(signature, "upload", "file", 7)
        assert not ctx.verify(signature, "download", "file", 8)
        assert not ctx.verify(signature, "download", "file")
        assert not ctx.verify(signature, "download", "file", 7, "")
        assert not context(node, "other").verify(signature, "download", "file", 7)


async def test_it_ends_and_can_end_no_later_than_its_key(tmp_path: Path, later: Later) -> None:
    async with node_with(tmp_path, made()) as node:
        ctx = context(node)
        signature = ctx.sign("download", seconds=60)
        later(59)
        assert ctx.verify(signature, "download")
        later(2)
        assert not ctx.verify(signature, "download")
        for seconds in (0, -1, MOST_SECONDS + 1, float("nan")):
            with pytest.raises(ValueError, match="up to"):
                ctx.sign("download", seconds=seconds)


async def test_links_survive_a_restart_and_a_new_key_and_no_third_one(tmp_path: Path, later: Later) -> None:
    async with node_with(tmp_path, made()) as node:
        later(KEY_DAYS * 86_400 - 60)  # the key is nearly used up
        signature = context(node).sign("download", seconds=MOST_SECONDS)
        later(120)
        job = (await node.call("jobs.run", job="signing keys"))["job"]
        assert job["result"] == "links are signed with a new key"
        assert context(node).sign("download", seconds=60).split(".")[0] != signature.split(".")[0]
    async with node_with(tmp_path, made()) as node:
        assert context(node).verify(signature, "download")
        later(KEY_DAYS * 86_400 - 180)
        await node.call("jobs.run", job="signing keys")
        assert context(node).verify(signature, "download")  # valid to its last second
        later(120)
        await node.call("jobs.run", job="signing keys")
        assert not context(node).verify(signature, "download")


async def test_the_keys_are_this_nodes_alone(tmp_path: Path) -> None:
    async with node_with(tmp_path / "one", made()) as one, node_with(tmp_path / "two", made()) as two:
        assert not context(two).verify(context(one).sign("download", seconds=60), "download")
    keys = tmp_path / "one" / "data" / "signing.keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


async def test_a_damaged_file_of_keys_ends_links_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with node_with(tmp_path, made()) as node:
        signature = context(node).sign("download", seconds=60)
    (tmp_path / "data" / "signing.keys").write_bytes(b"[{}]")
    async with node_with(tmp_path, made()) as node:
        assert not context(node).verify(signature, "download")
        assert context(node).verify(context(node).sign("download", seconds=60), "download")
    assert "signed links from before are void" in caplog.text


async def test_a_key_is_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with node_with(tmp_path, made()) as node:
        secret = node.core.part(Signer)._keys[0].secret  # pyright: ignore[reportPrivateUsage]
        shown = f"{node.core.part(Signer)._keys}"  # pyright: ignore[reportPrivateUsage]
        context(node).sign("download", seconds=60)
    for text in (caplog.text, shown):
        assert secret.hex() not in text
        assert str(secret) not in text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3), st.data())
@example(["a", "b"], None)
def test_no_other_fields_and_no_other_text_are_taken_for_it(
    tmp_path_factory: pytest.TempPathFactory, fields: list[str], data: Any
) -> None:
    signer = Signer(tmp_path_factory.getbasetemp() / "hypothesis.keys")
    signature = signer.sign(60, *fields)
    assert signer.is_valid(signature, *fields)
    if data is None:
        assert not signer.is_valid(signature, "".join(fields))
        return
    place = data.draw(st.integers(0, len(signature) - 1))
    changed = signature[:place] + data.draw(st.characters(exclude_categories=["Cs"])) + signature[place + 1 :]
    assert signer.is_valid(changed, *fields) == (changed == signature)
    assert not signer.is_valid(signature[:place], *fields)


def test_without_a_place_for_its_keys_links_work_until_the_node_stops(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "missing" / "keys")
    assert signer.is_valid(signer.sign(60, "file"), "file")
    (tmp_path / "missing").mkdir()
    assert not Signer(tmp_path / "missing" / "keys").is_valid(signer.sign(60, "file"), "file")
