"""Progress of work that has stages, as bars on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

import click


class Bars:
    """One bar a stage; call it with the stage, what is done and the whole. Nothing is shown unless at a terminal, nor
    of a stage whose whole is not known and given as 0."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._end()
            self._stage, self._done = stage, 0
            self._bar = click.progressbar(
                length=total, label=f"{stage:10}", file=sys.stderr, hidden=not total or not sys.stderr.isatty()
            )
            self._bar.__enter__()
        if done > self._done:
            self._bar.update(done - self._done)
            self._done = done

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
