"""SIGKILL at each call that moves, flushes or removes a file: nothing acknowledged is lost, nothing else stays."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chatnode_attachments.state import Attachments
from chatnode_attachments.store import uploads
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.sweeping import sweep

from chatnode.config import Config
from chatnode.node import open_node
from tests import needs
from tests.plugins.attachments.store.life import CONTENT, OTHER
from tests.plugins.attachments.store.storing import PLUGINS, context

ROOT = Path(__file__).parents[4]
COMPLETE = {str(len(CONTENT)): CONTENT, str(len(OTHER)): OTHER}


def live(data: Path, call: str, when: int) -> list[list[str]]:
    """Live until the `when`-th of these calls; what was acknowledged by then, which is all if there are fewer."""
    inject = f"inject={call}:signal=KILL:when={when}"
    strace = [needs.program("strace"), "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    command = [*strace, sys.executable, "-m", "tests.plugins.attachments.store.life", str(data)]
    lived = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert "Traceback" not in lived.stderr, lived.stderr
    return [line.split() for line in lived.stdout.splitlines()]


async def check_what_is_left(data: Path, acknowledged: list[list[str]]) -> None:
    going = {id for words in acknowledged if words[0] == "going" for id in words[1:]}
    offsets = {words[1]: words[2] for words in acknowledged if words[0] == "upload"}
    async with open_node(data, Config(), only=PLUGINS) as node:
        here, ctx = node.core.state(Attachments), context(node)
        await here.store.finish_waiting(ctx)
        for id, offset in offsets.items():
            if id in going:
                continue
            upload = await node.core.db.read(lambda reader, id=id: uploads.find(reader, id))
            assert upload is not None
            assert upload.durable >= int(offset)
            if offset in COMPLETE:
                file = await node.core.db.read(lambda reader, id=id: find_file(reader, id))
                assert file is not None
                assert here.layout.blob(file.blob_name).read_bytes() == COMPLETE[offset]
        await here.collector.collect(ctx)
        await sweep(ctx, here.layout, here.store.run, older_than=-1)
        assert (await node.call("attachments.check", deep=True))["problems"] == []
        on_disk = {path.name for _, folder in here.layout.folders() for path in folder.iterdir() if path.is_file()}
        known = await node.core.db.read(
            lambda reader: reader.execute(
                "SELECT name FROM attachments_blobs UNION SELECT id FROM attachments_uploads WHERE state = 'open'"
            ).fetchall()
        )
        assert on_disk <= {name for (name,) in known}


@pytest.mark.slow
@pytest.mark.parametrize(("call", "stride"), [("rename", 1), ("unlink", 1), ("fsync", 3), ("fdatasync", 5)])
async def test_a_kill_at_any_step_loses_nothing_acknowledged(tmp_path: Path, call: str, stride: int) -> None:
    needs.tracing()
    empty = tmp_path / "empty"
    async with open_node(empty, Config(), only=PLUGINS):
        pass
    killed = 0
    for when in range(1, 2000, stride):
        data = tmp_path / "data"
        shutil.copytree(empty, data)
        acknowledged = live(data, call, when)
        await check_what_is_left(data, acknowledged)
        shutil.rmtree(data)
        if acknowledged[-1:] == [["done"]]:
            break
        killed += 1
    assert killed > 2
