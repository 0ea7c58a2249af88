"""The whole way, with a real clamd: uploaded over HTTP, scanned, and fetched or not."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
import trio
from chatnode_attachments.scanning.canary import EICAR

from chatnode.errors import Refusal
from chatnode.testing import User
from tests.plugins.attachments.scanning.clamd import BY_TEXT, Clamd, installed_clamd
from tests.plugins.attachments.scanning.scanned import SECONDS, ScanningNode, infected, scanning_node
from tests.plugins.attachments.uploading.tus_client import FILES, TusClient

pytestmark = pytest.mark.slow


@pytest.fixture
def clamd() -> Generator[Clamd]:
    with installed_clamd() as clamd:
        yield clamd


WAYS: tuple[tuple[str, dict[str, str]], ...] = (
    ("GET", {}),
    ("HEAD", {}),
    ("GET", {"Range": "bytes=0-3"}),
    ("GET", {"If-None-Match": "*"}),
)


class Site:
    """A node that scans, with Ann, who uploads, and a moderator."""

    def __init__(self, ann: TusClient, mod: User, scanning: ScanningNode) -> None:
        self.ann = ann
        self.mod = mod
        self.scanning = scanning

    async def uploads(self, content: bytes, name: str = "a.bin") -> str:
        """The address of the file."""
        answer = await self.ann.asks("POST", f"{FILES}?name={name}", content)
        assert answer.status == 201, answer.body
        return f"{FILES}/{answer.json['file']['id']}"

    async def sends(self, content: bytes) -> str:
        """The same in two requests of tus."""
        path = await self.ann.begins(len(content))
        half = len(content) // 2
        await self.ann.sends(path, content[:half], 0)
        assert (await self.ann.sends(path, content[half:], half)).status == 204
        return f"{FILES}/{path.rpartition('/')[2]}"

    async def link(self, path: str) -> str:
        link = await self.ann.user.call("attachments.link", file=path.rpartition("/")[2])
        return urljoin(path, link["link"])

    async def statuses(self, path: str) -> set[int]:
        """Of every way in."""
        found: set[int] = set()
        for method, headers in WAYS:
            answer = await self.ann.asks(method, path, headers=headers)
            if answer.status == 503:
                assert int(answer.headers["retry-after"]) >= 1
            found.add(answer.status)
        return found

    async def becomes(self, path: str, status: int) -> None:
        """Wait until a request for it is answered so; until then it is being scanned."""
        with trio.fail_after(SECONDS):
            while (found := (await self.ann.asks("GET", path)).status) != status:
                assert found == 503
                await trio.sleep(0.01)

    async def reads(self, path: str) -> bytes:
        answer = await self.ann.asks("GET", path)
        assert answer.status == 200, answer.body
        return answer.body


@asynccontextmanager
async def site(data: Path, address: str) -> AsyncGenerator[Site]:
    async with scanning_node(data, address) as scanning:
        mod = await User.new(scanning.node, "mod", role="moderator")
        user = scanning.ann.user
        token = (await user.call("tokens.create"))["token"]
        async with TusClient(scanning.node, scanning.address, token, user) as ann:
            yield Site(ann, mod, scanning)


@pytest.mark.parametrize("way", ["unix", "tcp"])
async def test_what_is_not_scanned_is_not_served_and_what_is_found_is_gone(
    tmp_path: Path, clamd: Clamd, way: str
) -> None:
    async with site(tmp_path, getattr(clamd, way)) as here:
        good, bad, empty = await here.uploads(b"hello"), await here.sends(EICAR), await here.uploads(b"")
        for path in (good, bad, empty):
            assert await here.statuses(path) == {503}
            with pytest.raises(Refusal, match="scanned") as refused:
                await here.link(path)
            assert refused.value.status == 503
        await clamd.start()
        for path, content in ((good, b"hello"), (empty, b"")):
            await here.becomes(path, 200)
            assert await here.reads(path) == content
        await here.becomes(bad, 410)
        assert await here.statuses(bad) == {410}

        again = await here.uploads(EICAR, "innocent.txt")
        assert await here.statuses(again) == {410}

        await clamd.restart(MaxFileSize="1M", StreamMaxLength="1M")
        late = await here.uploads(infected(2 << 20))
        await here.scanning.scanner_becomes("misconfigured")
        assert await here.statuses(late) == {503}
        assert await here.reads(await here.link(good)) == b"hello"
        await clamd.restart()
        await here.becomes(late, 410)


async def test_the_command_line_says_what_was_found_before(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    (tmp_path / "bad.txt").write_bytes(EICAR)
    async with site(tmp_path / "data", clamd.unix) as here:
        await here.becomes(await here.uploads(EICAR), 410)
        token = (await here.ann.user.call("tokens.create"))["token"]
        url = "http://{}:{}".format(*here.scanning.address)
        done = await trio.run_process(
            [sys.executable, "-m", "chatnode", "upload", "--url", url, "--token", token, str(tmp_path / "bad.txt")],
            check=False, capture_stdout=True, capture_stderr=True, env={"XDG_STATE_HOME": str(tmp_path / "state")},
        )  # fmt: skip
    assert (done.returncode, len(done.stdout.split())) == (1, 1)
    assert done.stderr.decode() == "chatnode: bad.txt: the virus scanner found something in it; it was removed\n"


async def test_a_file_that_is_too_large_to_be_scanned_is_refused(tmp_path: Path, clamd: Clamd) -> None:
    async with site(tmp_path, clamd.unix) as here:
        answer = await here.ann.asks("POST", FILES, bytes((3 << 20) + 1))
        assert (answer.status, answer.error["code"]) == (413, "too_large")
        assert (await here.ann.creates((3 << 20) + 1)).status == 413


async def test_a_link_made_before_a_verdict_changed_ends_with_it(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with site(tmp_path, clamd.unix) as here:
        worm = await here.uploads(b"the new worm")
        await here.becomes(worm, 200)
        link = await here.link(worm)
        assert await here.reads(link) == b"the new worm"
        clamd.knows({**BY_TEXT, "worm.ndb": f"Worm:0:*:{b'the new worm'.hex()}"})
        await clamd.restart()
        await here.scanning.scanner_becomes("ok")
        await here.mod.call("attachments.rescan", file=worm.rpartition("/")[2])
        with trio.fail_after(SECONDS):
            while (await here.ann.asks("GET", link)).status == 200:  # noqa: ASYNC110 - what another process does
                await trio.sleep(0.01)
        assert await here.statuses(worm) | await here.statuses(link) == {410}


async def test_a_moderator_withdraws_a_file_and_releases_it(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with site(tmp_path, clamd.unix) as here:
        path = await here.uploads(b"hello")
        await here.becomes(path, 200)
        link, file = await here.link(path), path.rpartition("/")[2]
        for _ in range(2):
            await here.mod.call("attachments.quarantine", file=file, reason="looks odd")
        assert await here.statuses(path) | await here.statuses(link) == {410}
        for _ in range(2):
            await here.mod.call("attachments.release", file=file)
        assert await here.reads(link) == b"hello"
        entries = (await here.scanning.node.call("audit.list"))["entries"]
        assert [each["action"] for each in entries if each["action"].startswith("attachments.")] == [
            "attachments.release", "attachments.quarantine",
        ]  # fmt: skip
        for name in ("quarantine", "release", "rescan"):
            with pytest.raises(Refusal, match="permission") as refused:
                await here.ann.user.call(f"attachments.{name}", file=file)
            assert refused.value.status == 403
        with pytest.raises(Refusal) as refused:
            await here.mod.call("attachments.rescan")
        assert refused.value.status == 403


async def test_files_are_posted_before_they_are_scanned_and_readers_see_how_that_ends(
    tmp_path: Path, clamd: Clamd
) -> None:
    async with site(tmp_path, clamd.unix) as here:
        node = here.scanning.node
        bob = await User.new(node, "bob")
        talk = await here.ann.user.direct(bob)
        paths = [await here.uploads(b"hello"), await here.uploads(EICAR)]
        ids = [path.rpartition("/")[2] for path in paths]
        files = [{"file": id} for id in ids]
        await here.ann.user.posts(talk, "two files", kind="file", files=files)
        token = (await bob.call("tokens.create"))["token"]
        async with TusClient(node, here.scanning.address, token, bob) as reader:

            async def answers() -> list[int]:
                return [(await reader.asks("GET", path)).status for path in paths]

            async def shown() -> list[str]:
                (message,) = await bob.sees(talk)
                return [message["extra"]["attachments"][id]["scan"] for id in ids]

            assert (await answers(), await shown()) == ([503, 503], ["pending", "pending"])
            await clamd.start()
            for path, status in zip(paths, (200, 410), strict=True):
                await here.becomes(path, status)
            assert (await answers(), await shown()) == ([200, 410], ["safe", "unsafe"])
