"""The line editor: prompt_toolkit in a worker thread, while trio keeps the main thread.

prompt_toolkit brings its own asyncio loop, which lives in that thread. Lines come over by trio's token; what
is printed goes the other way through `patch_stdout` and appears above the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout

from chatnode.terminal.paths import completions


class Words(Completer):
    """Completes /commands at the beginning of a line, the terminal's own and those `offered` by the node, their
    arguments, and @handles anywhere."""

    def __init__(
        self,
        commands: Iterable[str],
        titles: Callable[[], Iterable[str]],
        handles: Callable[[], Iterable[str]],
        offered: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._commands = tuple(commands)
        self._titles = titles
        self._handles = handles
        self._offered = offered

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        word = before.rpartition(" ")[2]
        if before.startswith("/") and " " not in before:
            known = dict.fromkeys((*self._commands, *self._offered()))
            found = [each + " " for each in known if each.startswith(before)]
        elif before.startswith("/open "):
            word = before.partition(" ")[2]
            found = [each for each in self._titles() if _may_become(word, each)]
        elif before.startswith(("/dm ", "/invite ", "/group ", "/block ", "/unblock ")):
            found = [each for each in self._handles() if each.startswith(word)]
        elif before.startswith("/attach "):
            typed = before.partition(" ")[2].lstrip()
            for each, replaced in completions(typed):
                yield Completion(each, -replaced)
            return
        elif word.startswith("@"):
            found = ["@" + each for each in self._handles() if each.startswith(word[1:])]
        else:
            return
        for each in sorted(found):
            yield Completion(each, -len(word))


def _may_become(word: str, name: str) -> bool:
    """Whether `word`, with its mark or without, begins a name such as `@ann` or `#tea`."""
    return name.casefold().startswith(word.casefold()) or name[1:].casefold().startswith(word.casefold())


class Prompt:
    """A prompt that stays: each line goes to `take`, and the next can be typed at once.

    `title` and `status` are called at each drawing, from the editor's thread; `interrupt` from the trio thread, for
    Ctrl-C where nothing was typed.
    """

    def __init__(
        self, title: Callable[[], str], status: Callable[[], str], words: Completer, interrupt: Callable[[], object]
    ) -> None:
        self._title = title
        self._interrupt = interrupt
        self._stopped = False
        self._take: Callable[[str], None] = lambda line: None
        self._stop: Callable[[], None] = lambda: None
        self._session: PromptSession[str] = PromptSession(
            message=self._message,
            bottom_toolbar=lambda: FormattedText([("class:bottom-toolbar", f" {status()} ")]),
            completer=words,
            complete_while_typing=False,
            erase_when_done=True,
            key_bindings=self._keys(),
            enable_suspend=True,
        )

    async def run(
        self, take: Callable[[str], None], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Runs until Ctrl-D, `leave`, or cancellation; reports when it is drawn. Until it returns, what is
        printed appears above it.

        A thread cannot be cancelled, so the editor is told to leave, which also gives the terminal back as it was.
        """
        token = trio.lowlevel.current_trio_token()

        def hand_over(line: str) -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(take, line)

        def stop() -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._interrupt)

        def begun() -> None:
            token.run_sync_soon(task_status.started)
            self._leave_if_told()

        self._take, self._stop = hand_over, stop
        with patch_stdout(raw=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._leave_on_cancel)
                await trio.to_thread.run_sync(self._edit, begun)
                nursery.cancel_scope.cancel()

    def refresh(self) -> None:
        """Draw prompt and status again."""
        self._in_editor(self._session.app.invalidate)

    def leave(self) -> None:
        """Ends `run` soon; from the trio thread."""
        self._stopped = True
        self._in_editor(self._leave_if_told)

    def _in_editor(self, function: Callable[[], object]) -> None:
        """Call it in the editor's thread, if the editor is still there. It may end at any time, and then what its
        `invalidate` has just looked at is gone: that is safe in its own thread alone."""
        loop = self._session.app.loop
        if loop is not None:
            with suppress(RuntimeError):  # it was closed meanwhile
                loop.call_soon_threadsafe(function)

    # ---- in the editor's thread

    def _edit(self, begun: Callable[[], None]) -> None:
        with suppress(EOFError):
            self._session.prompt(pre_run=begun)

    def _message(self) -> FormattedText:
        title = self._title()
        return FormattedText([("bold", f"{title} › " if title else "› ")])

    def _leave_if_told(self) -> None:
        app = self._session.app
        if self._stopped and app.is_running and not app.is_done:
            app.exit(exception=EOFError())

    async def _leave_on_cancel(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.leave()

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            """Hand the line over and go on: an editor that ended here would leave its prompt behind whenever
            something is printed before the next one."""
            buffer = event.current_buffer
            line = buffer.text.strip("\n").rstrip()
            buffer.reset(append_to_history=bool(line))
            if line:
                self._take(line.encode("utf-8", "replace").decode())  # a broken terminal sends broken UTF-8

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            event.current_buffer.insert_text("\n")

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
            """Throw the line away, or stop what is on its way. Leaving is Ctrl-D, so that nobody leaves by one key too
            many."""
            if not event.current_buffer.text:
                self._stop()
            event.current_buffer.reset()

        return keys
