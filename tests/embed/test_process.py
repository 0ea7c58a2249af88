"""What becomes of an embedded node with its process: exit, kill, fork, signals. Each is a real process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatnode.embed.threads import Node

from .nodes import CONFIG

EXIT_SECONDS = 6.0
_BEGINNING = """
import asyncio, os, signal, sys, threading, time
from pathlib import Path
from chatnode.embed import NodeGone
from tests.embed.nodes import CONFIG
data = Path(sys.argv[1])
"""


@contextmanager
def program(data: Path, text: str) -> Generator[subprocess.Popen[str]]:
    """Python that runs `text`, with a pipe for its output."""
    script = _BEGINNING + textwrap.dedent(text)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(data: Path, text: str) -> tuple[str, str, float]:
    """Its output, its errors, and the seconds from its line `exit` to the end."""
    with program(data, text) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.strip() == "exit":
                break
        began = time.monotonic()
        rest, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return "\n".join([*lines, *rest.split()]), errors, time.monotonic() - began


def was_closed_in_order(data: Path) -> bool:
    """A node that is closed in order leaves no write-ahead log behind, and lets the directory go."""
    wal = data / "chatnode.sqlite3-wal"
    return not wal.exists() and not (data / "control.sock").exists()


THREADS = """
    from chatnode.embed.threads import Node
    chat = Node(data, config=CONFIG, serve="127.0.0.1:0").start()
    chat.operator.people.create(handle="ann")
    chat.operator.people.create(handle="bob")
    ann = chat.person("ann")
    talk = ann.conversations.direct(with_="bob").conversation
    ann.messages.post(conversation=talk, text="hello")
"""


def test_an_exit_without_close_ends_in_order(tmp_path: Path) -> None:
    output, errors, seconds = run(tmp_path / "data", THREADS + '    print("exit", flush=True)\n')
    assert (output, errors) == ("exit", "")
    assert seconds < EXIT_SECONDS
    assert was_closed_in_order(tmp_path / "data")
    with Node(tmp_path / "data", config=CONFIG) as chat:
        (entry,) = chat.person("bob").inbox.list().conversations
        assert entry.unread == 1


@pytest.mark.slow
def test_an_exit_ends_readers_and_waiting_daemons(tmp_path: Path) -> None:
    """With a client connected, an event reader waiting in a daemon, and a thread that still posts."""
    output, errors, seconds = run(
        tmp_path / "data",
        THREADS
        + """
    import trio
    from chatnode.client import connect
    token = chat.operator.tokens.create(person="bob").token
    ready = threading.Barrier(3)

    async def listen():
        async with connect(chat.url, token) as client:
            ready.wait()
            async for _ in client.events():
                pass

    def read():
        events = ann.events()
        next(events)
        ready.wait()
        try:
            for _ in events:
                pass
        except NodeGone:
            pass

    def post():
        for number in range(50):
            ann.messages.post(conversation=talk, text=str(number))
        print("posted", flush=True)

    threading.Thread(target=trio.run, args=(listen,), daemon=True).start()
    threading.Thread(target=read, daemon=True).start()
    ready.wait()
    threading.Thread(target=post).start()
    print("exit", flush=True)
""",
    )
    assert output.split() == ["exit", "posted"]
    assert errors == ""
    assert seconds < EXIT_SECONDS
    assert was_closed_in_order(tmp_path / "data")


@pytest.mark.slow
def test_an_asyncio_program_may_forget_to_close(tmp_path: Path) -> None:
    output, errors, seconds = run(
        tmp_path / "data",
        """
    from chatnode.embed.aio import Node

    async def main():
        chat = await Node(data, config=CONFIG, serve="127.0.0.1:0").start()
        await chat.operator.people.create(handle="ann")
        asyncio.create_task(anext(chat.person("ann").events()))
        await asyncio.to_thread(time.sleep, 0)
        print("exit", flush=True)

    asyncio.run(main())
""",
    )
    assert (output, errors) == ("exit", "")
    assert seconds < EXIT_SECONDS
    assert was_closed_in_order(tmp_path / "data")


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    with program(
        tmp_path / "data",
        """
    from chatnode.embed.aio import Node

    async def main():
        async with Node(data, config=CONFIG) as chat:
            for handle in ("ann", "bob"):
                await chat.operator.people.create(handle=handle)
            ann = chat.person("ann")
            talk = (await ann.conversations.direct(with_="bob")).conversation

            async def post():
                while True:
                    posted = await ann.messages.post(conversation=talk, text="x")
                    os.write(1, b"%s\\n" % posted.message.encode())

            await asyncio.gather(*(post() for _ in range(20)))

    asyncio.run(main())
""",
    ) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(300)]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert len(acknowledged) == len(set(acknowledged)) >= 300
    with Node(tmp_path / "data", config=CONFIG) as chat:
        ann = chat.person("ann")
        for message in acknowledged:
            assert ann.messages.get(message=message).message.text == "x"


@pytest.mark.slow
def test_a_forked_child_is_told_and_the_parent_goes_on(tmp_path: Path) -> None:
    output, errors, _ = run(
        tmp_path / "data",
        THREADS
        + """
    child = os.fork()
    if child == 0:
        try:
            ann.messages.post(conversation=talk, text="from the child")
        except NodeGone as gone:
            print("forked" in str(gone), flush=True)
        sys.exit(0)  # with everything that happens at exit
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), ann.messages.post(conversation=talk, text="from the parent").seq)
    print("exit", flush=True)
""",
    )
    assert output.split() == ["True", "0", "2", "exit"]
    assert errors == ""
    assert was_closed_in_order(tmp_path / "data")


@pytest.mark.slow
def test_signals_are_the_hosts(tmp_path: Path) -> None:
    """Ctrl-C interrupts the call that the main thread waits for, and the node goes on."""
    output, errors, _ = run(
        tmp_path / "data",
        THREADS
        + """
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    print(handlers == [signal.default_int_handler, signal.SIG_DFL])
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    try:
        for _ in ann.events():
            pass
    except KeyboardInterrupt:
        print("interrupted")
    print(ann.messages.post(conversation=talk, text="and on").seq)
    chat.close()
    print("exit", flush=True)
""",
    )
    assert output.split() == ["True", "interrupted", "2", "exit"]
    assert errors == ""
