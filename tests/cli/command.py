"""Ways to run the command: in this process, which is quick, and in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import attrs

from chatnode.__main__ import main

PATIENCE = 30.0
SPARED = "crm,notifications,previews,webhooks"
"""Plugins that a process of a test does not load, unless the test says which are disabled: importing them takes as long
as all the rest."""


@attrs.frozen
class Done:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str


def chatnode(data: Path, *arguments: str, stdin: str = "") -> Done:
    """Run the command's entry point here. What it does not catch is raised: nobody wants to see it."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["chatnode", "--data", str(data), *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            status = 0
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return Done(status, out.getvalue(), err.getvalue())


def environment(**settings: object) -> dict[str, str]:
    """The environment of a process of its own, with settings as `LIMITS__PAGE_ITEMS=3`; None is for no setting."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHATNODE_")}
    chosen = {"PLUGINS__DISABLED": SPARED} | settings
    return inherited | {f"CHATNODE_{name}": str(value) for name, value in chosen.items() if value is not None}


def command_line(data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "chatnode", "--data", str(data), *arguments]


def run(data: Path, *arguments: str, stdin: str = "", **settings: object) -> Done:
    """Run the command in a process of its own."""
    done = subprocess.run(
        command_line(data, *arguments), input=stdin, capture_output=True, text=True, env=environment(**settings),
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


class Serving:
    """`chatnode serve` in a process of its own, from when it accepts."""

    def __init__(self, data: Path, *arguments: str, wrapper: Sequence[str] = (), **settings: object) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [*wrapper, *command_line(data, "serve", "--bind", "127.0.0.1:0", *arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**settings),
        )  # fmt: skip
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = re.fullmatch(r"chatnode: listening on (http://127\.0\.0\.1:\d+)\n", self.line)
        if found is None:
            _, err = self.process.communicate(timeout=PATIENCE)
            raise AssertionError(f"not serving: {self.line!r} {err}")
        self.url = found[1]

    def stop(self, number: int = signal.SIGTERM) -> Done:
        """Stop it by a signal; its last words."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return Done(self.process.returncode, self.line + out, err)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
