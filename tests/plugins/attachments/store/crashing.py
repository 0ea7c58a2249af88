"""Crashes: what a kill leaves is the directory as it is right before a step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatnode.node import Node

STEPS = ("pwrite", "fdatasync", "fsync", "ftruncate", "rename", "unlink")


class Fuse:
    """Copies the data directory right before the `at`-th step of what runs: a system call, or a transaction.

    With an inline database, nothing else runs at that moment. What was not acknowledged by then may be in the copy
    or not.
    """

    def __init__(self, data: Path, copy: Path) -> None:
        self._data = data
        self._copy = copy
        self.left = 0
        self.steps = 0
        self.blew = False

    def light(self, at: int) -> None:
        self.left, self.steps, self.blew = at, 0, False

    def step(self) -> None:
        self.steps += 1
        if self.left and self.steps == self.left:
            self.left = 0
            self.blew = True
            shutil.copytree(self._data, self._copy, ignore=shutil.ignore_patterns("*.lock", "*.sock"))

    @contextmanager
    def wired(self, node: Node) -> Iterator[None]:
        """Steps on this node count."""
        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, self._counted(getattr(os, name)))
            patch.setattr(node.core.db, "write", self._committed(node.core.db.write))
            yield

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.step()
            return call(*arguments, **options)

        return counted

    def _committed(self, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def committed(*arguments: Any, **options: Any) -> Any:
            self.step()
            return await write(*arguments, **options)

        return committed
