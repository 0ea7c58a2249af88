"""What the log says of errors: where and of what kind, and never their words, which may be somebody's."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import attrs
import pytest

from chatnode import logs
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.table import CommandTable, command
from chatnode.model.commands.shared import Nothing
from chatnode.node import Node
from chatnode.services import COMMANDS
from tests.transport.clients import Http, serving

SAID = "canarywren"


@attrs.frozen
class Say:
    text: str


@command("test.say", permission=None)
async def stumble(ctx: Caller, asked: Say) -> Nothing:
    """Fails with somebody's words in its mouth, in all the ways that there are."""
    try:
        {}[asked.text]
    except KeyError as error:
        error.add_note(asked.text)
        raise ExceptionGroup(asked.text, [ValueError(asked.text), OSError(5, asked.text)]) from error


@pytest.fixture(params=["text", "json"])
def logged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What `serve` would log, in all detail."""
    loggers = [logging.getLogger(name) for name in (None, "chatnode", "websockets")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    written = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", written)
        logs.set_up("debug", request.param)
    yield written
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


async def test_a_fault_is_logged_without_its_words(node: Node, logged: io.StringIO) -> None:
    node.table = CommandTable((*COMMANDS, stumble))

    async def fall(core: object) -> str:
        raise ValueError(SAID)

    node.jobs.add(Job("falling", 0, fall))
    async with serving(node) as address, await Http.open(address) as http:
        answer = await http.call("test.say", None, text=SAID)
        assert (answer.status, answer.json["error"]["code"]) == (500, "internal")
    job = (await node.call("jobs.run", job="falling"))["job"]
    assert (job["ok"], SAID in str(job)) == (False, False)
    log = logged.getvalue()
    for due in (
        "reference",
        "Traceback",
        "KeyError",
        "ExceptionGroup",
        "ValueError",
        "Input/output error",
        "in stumble",
        "in fall",
    ):
        assert due in log
    assert "test_logs.py" in log
    assert SAID not in log


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("crash", ["main", "thread", "nobody"])
def test_a_crash_is_logged_without_its_words(form: str, crash: str) -> None:
    program = f"""
import sys, threading
from chatnode import logs
logs.set_up("debug", {form!r})
logs.catch_crashes()
said = "".join(["canary", "wren"])

class Dying:
    def __del__(self):
        raise ValueError(said)

def fall():
    try:
        raise KeyError(said)
    except KeyError as error:
        raise ExceptionGroup(said, [ValueError(said)]) from error

if {crash!r} == "main":
    fall()
elif {crash!r} == "thread":
    thread = threading.Thread(target=fall)
    thread.start()
    thread.join()
else:
    Dying()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == int(crash == "main")
    assert "ValueError" in done.stderr
    assert SAID not in done.stdout + done.stderr
    if form == "json":
        (line,) = done.stderr.splitlines()
        assert "Traceback" in json.loads(line)["trace"]
