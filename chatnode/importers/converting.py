"""Converting texts in a second process, so that it goes on while this one reads and stores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

import orjson

from chatnode import bundle
from chatnode.importers.items import Unreadable

Convert: TypeAlias = Callable[[str], str]
Converted: TypeAlias = tuple[str | None, str]
"""A text; or None, and why there is none."""

WORTH_A_PROCESS = 200
"""Texts at once for which one is started: that takes a third of a second."""


class Converter:
    """Takes a list of texts and gives them converted, one list at a time. `convert` None leaves them as they are."""

    def __init__(self, convert: Convert | None) -> None:
        self._convert = convert
        self._given: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._may_start = convert is not None and len(os.sched_getaffinity(0)) > 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def begin(self, texts: list[str]) -> None:
        """Hand texts over; what was handed over before must have been taken back."""
        self._given = texts
        if self._process is None and self._may_start and len(texts) >= WORTH_A_PROCESS:
            self._start()
        if self._process is not None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(orjson.dumps(texts) + b"\n")
                self._process.stdin.flush()
            except OSError:
                self._end()

    def end(self) -> list[Converted]:
        """Take back what `begin` was given. If the process died, the texts are converted here."""
        if self._process is not None:
            assert self._process.stdout is not None
            answer = self._process.stdout.readline()
            if answer.endswith(b"\n"):
                return [(text, why) for text, why in orjson.loads(answer)]
            self._end()
        return converted(self._convert, self._given)

    def _start(self) -> None:
        assert self._convert is not None
        function = f"from {self._convert.__module__} import {self._convert.__qualname__} as convert"
        program = f"{function}; from {__name__} import serve; serve(convert)"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={**os.environ, **bundle.python_variables()},
            )  # fmt: skip
        except OSError:
            self._may_start = False

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process, self._may_start = self._process, None, False
        process.kill()  # it holds nothing that is not here too
        process.communicate()


def converted(convert: Convert | None, texts: list[str]) -> list[Converted]:
    """Each text converted, or why it is not."""
    return [(text, "") if convert is None else _one(convert, text) for text in texts]


def _one(convert: Convert, text: str) -> Converted:
    try:
        return convert(text), ""
    except Unreadable as error:
        return None, str(error)


def serve(convert: Convert) -> None:
    """The second process: lists of texts as lines of JSON in, lists of what they became out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the first process ends this one
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(orjson.dumps(converted(convert, orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()
