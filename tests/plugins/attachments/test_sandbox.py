"""The process that decodes pictures: what it cannot do, and what happens when it ends, hangs or lies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import trio
from chatnode_attachments.images import process
from chatnode_attachments.images.workers import ImageWorkers

from chatnode.api import Refusal
from tests.plugins.attachments.pictures import drawing, encoded

TakenOver = Callable[[str], None]
HONEST = {"type": "image/png", "width": 1, "height": 1, "cleaned": True, "derived": [], "placeholder": None}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "upload").write_bytes(encoded(drawing(), "PNG"))
    return tmp_path / "upload"


@pytest.fixture
def taken_over(monkeypatch: pytest.MonkeyPatch) -> TakenOver:
    """Lets a job do something else: the body of a function of `source` and `out`, which returns the answer or None."""

    def take_over(body: str) -> None:
        attack = (
            "import ctypes, os, resource, signal, socket, time\n"
            "from chatnode_attachments.images import pictures\n"
            f"honest = pictures.prepare\ndef attack(source, out):\n{indent(dedent(body).strip(), '    ')}\n"
            "def prepare(source, outputs, *, clean, most_pixels):\n"
            "    if most_pixels == 64:\n"  # when it starts, it prepares some of its own
            "        return honest(source, outputs, clean=clean, most_pixels=most_pixels)\n"
            f"    return attack(source, outputs[0]) or {HONEST!r}\n"
            "pictures.prepare = prepare\n"
        )
        before = process.command_of_child

        def command(descriptor: int) -> list[str]:
            *interpreter, program = before(descriptor)
            return [*interpreter, program.replace("from chatnode_attachments", attack + "from chatnode_attachments")]

        monkeypatch.setattr(process, "command_of_child", command)

    return take_over


@asynccontextmanager
async def sandbox(tmp_path: Path, seconds: float = 15.0) -> AsyncIterator[ImageWorkers]:
    (tmp_path / "work").mkdir(exist_ok=True)
    async with ImageWorkers(tmp_path / "work", megapixels=50, seconds=seconds) as images:
        yield images


def child_of(images: ImageWorkers) -> int:
    assert images._zygote is not None
    return images._zygote._process.pid


def jobs_of(child: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{child}/task/{child}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition: Callable[[], Any]) -> None:
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 -- of another process
            await trio.sleep(0.01)


# ---- when it runs


async def test_it_starts_with_the_first_picture_and_ends_with_the_context(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "text").write_text("no picture")
    async with sandbox(tmp_path) as images:
        assert await images.prepare(tmp_path / "text", clean=True) is None
        assert images.status() == {"images": "not started"}

        assert await images.prepare(picture, clean=True)
        assert images.status()["images"] == "running"
        child = child_of(images)
        assert is_alive(child)
        await until(lambda: jobs_of(child) == [])
    assert not is_alive(child)


async def test_after_a_kill_it_starts_again(tmp_path: Path, picture: Path) -> None:
    async with sandbox(tmp_path) as images:
        assert await images.prepare(picture, clean=True)
        before = child_of(images)
        os.kill(before, signal.SIGKILL)
        await until(lambda: not is_alive(before))

        assert await images.prepare(picture, clean=True)
        assert child_of(images) != before


async def test_a_signal_to_all_processes_does_not_end_it(tmp_path: Path, picture: Path) -> None:
    async with sandbox(tmp_path) as images:
        assert await images.prepare(picture, clean=True)
        child = child_of(images)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(child, number)

        assert await images.prepare(picture, clean=True)
        assert child_of(images) == child


async def test_a_picture_is_not_blamed_for_a_kill_of_the_whole_sandbox(
    tmp_path: Path, picture: Path, taken_over: TakenOver
) -> None:
    taken_over("time.sleep(0.5)")
    async with sandbox(tmp_path) as images, trio.open_nursery() as nursery:
        found: list[object] = []

        async def ask() -> None:
            found.append(await images.prepare(picture, clean=True))

        nursery.start_soon(ask)
        await until(lambda: images._zygote and jobs_of(child_of(images)))
        job = jobs_of(child_of(images))[0]
        os.kill(child_of(images), signal.SIGKILL)

        await until(lambda: found)
        assert found[0] is not None
        assert not is_alive(job)
        assert images.outcomes == {"prepared": 1}


async def test_a_sandbox_that_keeps_ending_refuses_and_says_nothing_of_the_picture(
    tmp_path: Path, picture: Path, taken_over: TakenOver
) -> None:
    taken_over("os.kill(os.getppid(), signal.SIGKILL); time.sleep(10)")
    async with sandbox(tmp_path) as images:
        with pytest.raises(Refusal, match="keeps ending"):
            await images.prepare(picture, clean=True)
        assert images.outcomes == {}
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("fault", ["no interpreter", "no Pillow"])
async def test_a_sandbox_that_does_not_start_refuses_and_its_health_says_why(
    tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "no interpreter":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    else:
        monkeypatch.setattr(process, "_BOOT", "import sys; sys.modules['PIL'] = None" + process._BOOT)
    async with sandbox(tmp_path) as images:
        with pytest.raises(Refusal, match="cannot be processed now"):
            await images.prepare(picture, clean=True)
        assert ("/nowhere/python" if fault == "no interpreter" else "PIL") in images.status()["images"]

        monkeypatch.undo()
        assert await images.prepare(picture, clean=True)


async def test_a_node_that_is_killed_leaves_no_process(tmp_path: Path, picture: Path) -> None:
    program = f"""
    import time
    from pathlib import Path
    import trio
    from chatnode_attachments.images import process
    from chatnode_attachments.images.workers import ImageWorkers
    slow = "from chatnode_attachments.images import pictures; import time; pictures.run = lambda *_: time.sleep(60)\\n"
    process._BOOT = process._BOOT.replace("serve(", slow + "serve(")
    async def main():
        async with ImageWorkers(Path({str(tmp_path)!r}), megapixels=50) as images:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: images.prepare(Path({str(picture)!r}), clean=True))
                while images._zygote is None:
                    await trio.sleep(0.01)
                print(images._zygote._process.pid, flush=True)
    trio.run(main)
    """
    node = await trio.lowlevel.open_process([sys.executable, "-c", dedent(program)], stdout=subprocess.PIPE)
    try:
        assert node.stdout is not None
        child = int(await node.stdout.receive_some())
        await until(lambda: jobs_of(child))
        job = jobs_of(child)[0]
    finally:
        node.kill()
        await node.wait()
        if node.stdout is not None:
            await node.stdout.aclose()
    await until(lambda: not is_alive(child) and not is_alive(job))


def test_the_nodes_own_process_imports_no_decoder(tmp_path: Path, picture: Path) -> None:
    program = f"""
    import sys
    from pathlib import Path
    import trio
    from chatnode_attachments import types
    from chatnode_attachments.images.workers import ImageWorkers
    async def main():
        async with ImageWorkers(Path({str(tmp_path)!r}), megapixels=50) as images:
            assert await images.prepare(Path({str(picture)!r}), clean=True)
    trio.run(main)
    print([name for name in sys.modules if name.partition(".")[0] in ("PIL", "puremagic")])
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---- what a job cannot do


async def test_a_job_has_limits(tmp_path: Path, picture: Path, taken_over: TakenOver) -> None:
    taken_over(
        """
        def attempt(name, function):
            try:
                function()
            except (OSError, MemoryError) as error:
                lines.append(f"{name}: {type(error).__name__} {getattr(error, 'errno', None)}")
            else:
                lines.append(f"{name}: done")
        lines = []
        attempt("open", lambda: open("/etc/passwd"))
        attempt("list", lambda: os.listdir("/"))
        attempt("socket", lambda: socket.socket())
        attempt("memory", lambda: bytearray(600 << 20))
        attempt("write", lambda: os.pwrite(out.fileno(), b"x", 32 << 20))
        limits = [resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in ("CPU", "CORE", "NOFILE")]
        lines.append(repr(limits))
        prctl = ctypes.CDLL(None).prctl
        death = ctypes.c_int()
        prctl(2, ctypes.byref(death), 0, 0, 0)
        lines.append(f"death {death.value}, privileges {prctl(39, 0, 0, 0, 0)}, nice {os.nice(0)}")
        lines.append(f"variables {sorted(set(os.environ) - {'LC_CTYPE'})}")
        lines.append(f"node {'chatnode' in __import__('sys').modules}")
        out.write("\\n".join(lines).encode())
        """
    )
    async with sandbox(tmp_path) as images:
        found = await images.prepare(picture, clean=True)
        assert found is not None
        assert found.cleaned is not None
        assert found.cleaned.read_text().splitlines() == [
            "open: OSError 24", "list: OSError 24", "socket: OSError 24", "memory: MemoryError None",
            "write: OSError 27", "[(10, 10), (0, 0), (8, 8)]", "death 9, privileges 1, nice 10", "variables []",
            "node False",
        ]  # fmt: skip


async def test_a_job_has_no_network_where_the_kernel_allows_it(
    tmp_path: Path, picture: Path, taken_over: TakenOver
) -> None:
    taken_over("out.write(f'{os.getuid()}'.encode())")
    async with sandbox(tmp_path) as images:
        found = await images.prepare(picture, clean=True)
        assert found is not None
        assert found.cleaned is not None
        allowed = await trio.run_process(["unshare", "--user", "--net", "true"], check=False, capture_stderr=True)
        assert images.status()["images_isolated"] == (allowed.returncode == 0)
        assert (found.cleaned.read_text() == "65534") == (allowed.returncode == 0)


async def test_a_job_that_hangs_is_killed(tmp_path: Path, picture: Path, taken_over: TakenOver) -> None:
    taken_over("signal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass")
    async with sandbox(tmp_path, seconds=0.3) as images:
        assert await images.prepare(picture, clean=True) is None
        assert images.outcomes == {"timed out": 1}
        await until(lambda: jobs_of(child_of(images)) == [])
    assert list((tmp_path / "work").iterdir()) == []


async def test_a_job_that_crashes_harms_nobody(tmp_path: Path, picture: Path, taken_over: TakenOver) -> None:
    taken_over("if len(source.read()) > 20_000: os.kill(os.getpid(), signal.SIGSEGV)")
    (tmp_path / "other").write_bytes(encoded(drawing(200, 200), "PNG"))
    async with sandbox(tmp_path) as images:
        assert await images.prepare(picture, clean=True)
        child = child_of(images)
        assert await images.prepare(tmp_path / "other", clean=True) is None
        assert await images.prepare(picture, clean=True)
        assert images.outcomes == {"prepared": 2, "crashed": 1}
        assert child_of(images) == child


LIES: list[dict[str, Any]] = [
    {"type": "text/html"}, {"type": ["image/png"]}, {"cleaned": False}, {"width": 0}, {"width": True},
    {"height": 70_000}, {"placeholder": "javascript:alert(1)"}, {"placeholder": 7},
    {"placeholder": "data:image/webp;base64," + "A" * 300}, {"derived": [{"kind": "thumb320"}]},
    {"derived": [{"kind": "../../x", "width": 1, "height": 1}]}, {"derived": 7}, {"derived": [7]},
]  # fmt: skip


async def test_a_job_that_lies_is_not_believed(tmp_path: Path, picture: Path, taken_over: TakenOver) -> None:
    taken_over(f"return [{HONEST!r} | lie for lie in {LIES!r}][len(source.read()) - 16]")
    async with sandbox(tmp_path) as images:
        for index, lie in enumerate(LIES):
            os.truncate(picture, 16 + index)
            assert await images.prepare(picture, clean=True) is None, lie
        assert images.outcomes == {"not understood": len(LIES)}


async def test_two_jobs_run_at_a_time(tmp_path: Path, picture: Path, taken_over: TakenOver) -> None:
    taken_over("time.sleep(60)")
    async with sandbox(tmp_path) as images, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lambda: images.prepare(picture, clean=True))
        await until(lambda: images._zygote and len(jobs_of(child_of(images))) == 2)
        await trio.sleep(0.1)
        assert len(jobs_of(child_of(images))) == 2

        nursery.cancel_scope.cancel()
        await until(lambda: jobs_of(child_of(images)) == [])
    assert list((tmp_path / "work").iterdir()) == []
