"""Files through the client library, to a node and back: over connections that break, and where something is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
from PIL import Image

from chatnode.client import Client, Pushed, Refusal, SignedOut, Unreachable, connect
from chatnode.config import Plugins

from .conftest import CONFIG, Served, served, texts
from .proxy import Proxy

MIB = 2**20
FILM = os.urandom(6 * MIB + 7)


@pytest.fixture
async def proxy(node: Served, nursery: trio.Nursery) -> Proxy:
    between = Proxy(node.url)
    await nursery.start(between.run)
    return between


@pytest.fixture
async def far(node: Served, proxy: Proxy) -> AsyncIterator[Client]:
    """Ann, behind the proxy."""
    async with connect(proxy.url, await node.token("ann")) as client:
        yield client


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.bin"
    path.write_bytes(FILM)
    return path


# ---- there and back


async def test_a_file_goes_from_one_to_the_other(ann: Client, bob: Client, tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text("Meet at noon.")
    file = await ann.upload(tmp_path / "plan.txt")
    assert (file.name, file.bytes, file.category) == ("plan.txt", 13, "document")
    await ann.post(await ann.direct("bob"), "as promised", files=[file])

    async for item in bob.events():
        if isinstance(item, Pushed) and item.name == "message.posted":
            message = await bob.message(item.fields["message"]["message"])
            break
    assert (message.kind, message.text) == ("file", "as promised")
    (received,) = message.files or []
    saved = await bob.download(received, tmp_path / "received.txt")
    assert saved.read_text() == "Meet at noon."
    assert not (tmp_path / f"{file.id}.part").exists()


async def test_several_files_are_one_message(ann: Client, bob: Client) -> None:
    files = [await ann.upload(io.BytesIO(name.encode()), name=name) for name in ("a.txt", "b.txt")]
    posted = await ann.post(await ann.direct("bob"), files=[files[0], files[1].id])
    message = await bob.message(posted.message)
    assert [each.name for each in message.files or []] == ["a.txt", "b.txt"]


async def test_a_picture_is_cleaned_unless_it_is_sent_as_a_file(ann: Client, bob: Client, tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 64), "red")
    exif = picture.getexif()
    exif[0x010E] = "taken at home"
    picture.save(tmp_path / "red.jpg", exif=exif)
    cleaned = await ann.upload(tmp_path / "red.jpg")
    original = await ann.upload(tmp_path / "red.jpg", as_file=True)
    posted = await ann.post(await ann.direct("bob"), "look", files=[cleaned])
    assert (await bob.message(posted.message)).kind == "image"
    assert b"taken at home" not in (await bob.download(cleaned, tmp_path / "cleaned.jpg")).read_bytes()
    assert b"taken at home" in (await ann.download(original, tmp_path / "original.jpg")).read_bytes()


async def test_an_empty_file_is_a_file(ann: Client, tmp_path: Path) -> None:
    file = await ann.upload(io.BytesIO(), name="empty")
    assert (await ann.download(file, tmp_path / "empty")).read_bytes() == b""


async def test_progress_ends_with_the_whole(ann: Client, film: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    file = await ann.upload(film, progress=lambda done, whole: seen.append((done, whole)))
    assert seen[0] == (0, len(FILM))
    assert seen == sorted(seen)
    assert len(seen) > 10
    assert seen.pop() == (len(FILM), len(FILM))
    seen.clear()
    await ann.download(file, tmp_path / "copy", progress=lambda done, whole: seen.append((done, whole)))
    assert seen[-1] == (len(FILM), len(FILM))


# ---- connections that break


@pytest.mark.slow
@pytest.mark.parametrize("as_stream", [False, True])
async def test_an_upload_survives_cuts(far: Client, proxy: Proxy, film: Path, as_stream: bool, tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        with film.open("rb") as file:
            while piece := file.read(100_000):
                yield piece

    proxy.cuts_after = MIB
    file = await far.upload(pieces() if as_stream else film, name="film.bin")
    assert proxy.connections >= 5
    assert file.bytes == len(FILM)
    proxy.connections = 0
    saved = await far.download(file, tmp_path / "copy.bin")
    assert proxy.connections >= 5
    assert saved.read_bytes() == FILM


async def test_an_upload_survives_a_restart_of_the_node(tmp_path: Path, film: Path, nursery: trio.Nursery) -> None:
    half, uploaded = trio.Event(), trio.Event()

    def progress(done: int, whole: int | None) -> None:
        if done > 2 * MIB:
            half.set()

    async def upload(url: str, token: str) -> None:
        async with connect(url, token) as ann:
            file = await ann.upload(film, progress=progress)
            assert file.bytes == len(FILM)
        uploaded.set()

    async with served(tmp_path / "data") as node:
        bind, proxy = node.url.removeprefix("http://"), Proxy(node.url)
        await nursery.start(proxy.run)
        proxy.stalls_after = 3 * MIB
        nursery.start_soon(upload, proxy.url, await node.token("ann"))
        with trio.fail_after(20):
            await half.wait()
    proxy.stalls_after = None
    async with served(tmp_path / "data", bind=bind):
        with trio.fail_after(30):
            await uploaded.wait()


async def test_another_program_continues_an_upload(
    node: Served, far: Client, proxy: Proxy, film: Path, tmp_path: Path
) -> None:
    begun: list[str] = []
    proxy.stalls_after = 4 * MIB
    with trio.move_on_after(20) as scope:

        def progress(done: int, whole: int | None) -> None:
            if done > 4 * MIB:
                scope.cancel()

        await far.upload(film, created=begun.append, progress=progress)
    assert scope.cancelled_caught
    proxy.stalls_after, proxy.sent = None, 0
    async with connect(proxy.url, await node.token("ann")) as later:
        file = await later.upload(film, resume=begun[0])
        assert file.id == begun[0]
        assert proxy.sent < len(FILM) - MIB
        assert (await later.download(file, tmp_path / "copy")).read_bytes() == FILM


async def test_an_upload_that_the_node_forgot_begins_again(ann: Client, film: Path) -> None:
    begun: list[str] = []
    file = await ann.upload(film, resume="0" * 32, created=begun.append)
    assert [file.id] == begun


async def test_a_file_that_was_posted_is_uploaded_again(ann: Client, film: Path) -> None:
    first = await ann.upload(film)
    conversation = await ann.direct("ann")
    await ann.post(conversation, files=[first])
    second = await ann.upload(film, resume=first.id)
    assert second.id != first.id
    await ann.post(conversation, files=[second])


async def test_an_upload_of_another_file_is_not_continued(ann: Client, film: Path, tmp_path: Path) -> None:
    first = await ann.upload(film)
    (tmp_path / "other").write_bytes(b"x" * MIB)
    other = await ann.upload(tmp_path / "other", resume=first.id)
    assert other.id != first.id
    assert other.bytes == MIB


async def test_it_gives_up_when_nothing_moves(far: Client, proxy: Proxy, film: Path, tmp_path: Path) -> None:
    file = await far.upload(film)
    proxy.refuses = True
    proxy.cut()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        await far.upload(film, patience=0.5)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        await far.download(file, tmp_path / "copy", patience=0.5)


async def test_a_download_continues_where_an_earlier_one_stopped(
    far: Client, proxy: Proxy, film: Path, tmp_path: Path
) -> None:
    file = await far.upload(film)
    part, target = tmp_path / f"{file.id}.part", tmp_path / "copy"
    with trio.move_on_after(20) as scope:
        await far.download(file, target, progress=lambda done, whole: scope.cancel() if done > 2 * MIB else None)
    assert not target.exists()
    kept = part.stat().st_size
    assert 2 * MIB < kept < len(FILM)
    seen: list[int] = []
    await far.download(file, target, progress=lambda done, whole: seen.append(done))
    assert seen[0] > kept
    assert target.read_bytes() == FILM
    assert not part.exists()


@pytest.mark.parametrize("spoiled", [b"x" * MIB, b"x" * (6 * MIB + 7), b"x" * (9 * MIB)])
async def test_a_part_of_something_else_is_not_used(ann: Client, film: Path, tmp_path: Path, spoiled: bytes) -> None:
    file = await ann.upload(film)
    (tmp_path / f"{file.id}.part").write_bytes(spoiled)
    assert (await ann.download(file, tmp_path / "copy")).read_bytes() == FILM


# ---- what is refused, and loses nothing


async def test_what_is_too_large_is_refused_at_once(ann: Client, tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(101 * MIB)
    with pytest.raises(Refusal, match="100 MiB") as refused, trio.fail_after(10):
        await ann.upload(tmp_path / "huge")
    assert refused.value.code == "too_large"


async def test_what_is_no_file_is_not_uploaded(ann: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        await ann.upload(tmp_path / "missing")
    for name in ("", "pipe"):
        with pytest.raises(Refusal, match="is not a file"), trio.fail_after(5):
            await ann.upload(tmp_path / name)
    with pytest.raises(ValueError, match="needs a name"):
        await ann.upload(io.BytesIO(b"x"))


@pytest.mark.parametrize("change", ["grown", "cut", "other"])
async def test_a_file_that_changes_meanwhile_is_not_taken(ann: Client, film: Path, change: str) -> None:
    def progress(done: int, whole: int | None) -> None:
        if done == 0:
            with film.open("r+b") as file:
                if change == "grown":
                    file.seek(0, os.SEEK_END)
                    file.write(b"more")
                elif change == "cut":
                    file.truncate(3 * MIB)
                else:
                    file.write(b"other")

    with pytest.raises(Refusal, match=r"film\.bin was changed while"):
        await ann.upload(film, progress=progress)


async def test_nothing_is_overwritten_unless_asked(ann: Client, tmp_path: Path) -> None:
    file = await ann.upload(io.BytesIO(b"new"), name="a")
    (tmp_path / "a").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            await ann.download(file, tmp_path / name)
    assert (tmp_path / "a").read_text() == "old"
    await ann.download(file, tmp_path / "a", overwrite=True)
    assert (tmp_path / "a").read_text() == "new"


async def test_a_file_that_appears_meanwhile_stays(ann: Client, tmp_path: Path) -> None:
    file = await ann.upload(io.BytesIO(b"new"), name="a")
    with pytest.raises(FileExistsError):
        await ann.download(
            file, tmp_path / "a", progress=lambda done, whole: (tmp_path / "a").write_text("old") and None
        )
    assert (tmp_path / "a").read_text() == "old"


async def test_others_do_not_get_it(ann: Client, bob: Client, tmp_path: Path) -> None:
    file = await ann.upload(io.BytesIO(b"secret"), name="a")
    for id in (file.id, "0" * 32):
        with pytest.raises(Refusal) as refused:
            await bob.download(id, tmp_path / "a")
        assert refused.value.code == "not_found"
    for id in ("../../v1/people.me", "", "a?b", "a" * 500):
        with pytest.raises(Refusal) as refused:
            await bob.download(id, tmp_path / "a")
        assert refused.value.code == "invalid"
    assert not (tmp_path / "a").exists()


async def test_a_node_without_the_plugin_says_so(tmp_path: Path) -> None:
    config = attrs.evolve(CONFIG, plugins=Plugins(disabled=("attachments",)))
    async with served(tmp_path / "without", config) as node:
        async with connect(node.url, await node.token("ann")) as ann:
            for size in (3, MIB):
                with pytest.raises(Refusal, match="does not accept files"):
                    await ann.upload(io.BytesIO(b"x" * size), name="a")


async def test_a_token_that_was_revoked_ends_it(node: Served, film: Path) -> None:
    async with connect(node.url, await node.token("ann"), events=False) as ann:
        await ann.upload(io.BytesIO(b"x"), name="a")
        async with connect(node.url, await node.token("ann")) as other:
            await other.call("sessions.revoke", session=ann.session)
        with pytest.raises(SignedOut):
            await ann.upload(film)


async def test_after_the_client_nothing_is_sent(node: Served) -> None:
    async with connect(node.url, await node.token("ann")) as ann:
        await ann.upload(io.BytesIO(b"x"), name="a")
    with pytest.raises(Exception, match="the client is closed"):
        await ann.upload(io.BytesIO(b"x"), name="a")


async def test_other_things_go_on_meanwhile(far: Client, bob: Client, proxy: Proxy, film: Path) -> None:
    conversation = await far.direct("bob")
    proxy.stalls_after = 2 * MIB
    moving = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(far.upload, film, progress=lambda done, whole: moving.set() if done > MIB else None))
        await moving.wait()
        await far.post(conversation, "still here")
        assert await texts(bob, 1) == ["still here"]
        nursery.cancel_scope.cancel()


def test_httpcore_is_imported_for_the_first_file() -> None:
    script = "import sys, chatnode.client; print([name for name in ('httpcore2', 'mimetypes') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
