"""The line editor, which lives in a thread of its own."""

from __future__ import annotations

import threading

import pytest
import trio
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import DummyCompleter
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from chatnode.terminal.prompt import Prompt


async def test_what_draws_the_editor_again_runs_in_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """From another it could end between two looks at it, and the chat with it."""
    ran = list[threading.Thread]()
    drawn = trio.Event()
    token = trio.lowlevel.current_trio_token()
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = Prompt(lambda: "", lambda: "", DummyCompleter(), lambda: None)
        really_draw = prompt._session.app.invalidate

        def draw() -> None:
            ran.append(threading.current_thread())
            really_draw()
            token.run_sync_soon(drawn.set)

        async with trio.open_nursery() as nursery:
            await nursery.start(prompt.run, lambda line: None)
            ran.clear()
            monkeypatch.setattr(prompt._session.app, "invalidate", draw)
            prompt.refresh()
            with trio.fail_after(30):
                await drawn.wait()
            keys.send_text("\x04")
        assert threading.current_thread() not in ran
        prompt.refresh()  # now that it has ended


async def test_an_editor_that_is_told_to_leave_ends() -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = Prompt(lambda: "", lambda: "", DummyCompleter(), lambda: None)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                await nursery.start(prompt.run, lambda line: None)
                prompt.leave()
