"""A real file system that is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatnode_attachments.store.refusals import DiskFull

from chatnode.config import Config
from chatnode.node import open_node
from chatnode.testing import User
from tests import needs
from tests.plugins.attachments.store.storing import PLUGINS, Uploader, pieces

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose attachments have 8 MiB."""
    data = tmp_path / "data"
    own = data / "plugins" / "attachments"
    own.mkdir(parents=True)
    mounted = subprocess.run(
        [needs.program("mount"), "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(own)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        needs.missing(f"tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield data
    subprocess.run(["umount", str(own)], check=True)


@pytest.mark.slow
async def test_an_upload_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    async with open_node(small_disk, Config(), only=PLUGINS) as node:
        ann = Uploader(node, await User.new(node, "ann"))
        ann.store._free_bytes = lambda: 1 << 40  # the disk fills up for another reason later
        id = await ann.creates(7 * MIB)
        filling = ann.store.layout.directory / "other"
        filling.write_bytes(bytes(3 * MIB))
        with pytest.raises(DiskFull):
            await ann.sends(id, pieces(*[b"x" * MIB] * 7))
        kept = await ann.offset(id)
        assert 4 * MIB <= kept < 7 * MIB
        assert await ann.user.says(await ann.user.direct(ann.user), "messages go on")
        filling.unlink()
        await ann.sends(id, b"x" * (7 * MIB - kept), kept)
        assert (await node.call("attachments.check", deep=True))["problems"] == []
        with pytest.raises(DiskFull):
            await ann.uploads(b"y" * 2 * MIB)
