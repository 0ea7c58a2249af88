"""The guard around a plugin's function: a time budget, and a barrier for exceptions.

An async function is cancelled when its time is up, unless it blocks its thread, which is reported. A sync function runs
in a database thread and cannot be cancelled: its SQL is interrupted once it has used its CPU time; if it spends too
long on anything else, that is only reported.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Protocol, cast

import trio

from chatnode.errors import Misuse, Refusal
from chatnode.protocol import codec
from chatnode.storage.engine.connection import Reader, was_interrupted
from chatnode.storage.engine.deadlines import budget
from chatnode.storage.engine.finished import finished
from chatnode.storage.engine.transaction import Transaction

FAILURES = (Exception, SystemExit)
"""Exceptions a plugin may raise without affecting anything else. `trio.Cancelled` and Ctrl-C are not among them."""


class ReportFailure(Protocol):
    """Takes the name of the hook, what went wrong, and the exception, whose traceback goes to the log."""

    def __call__(self, hook: str, what: str, error: BaseException | None = None, /) -> None: ...


_LIBRARIES = {"attr", "cattrs", "click", "hypercorn", "outcome", "pluggy", "quart", "quart_trio", "trio", "werkzeug"}
_NOT_OF_PLUGINS = {"chatnode"} | _LIBRARIES | sys.stdlib_module_names
"""Packages whose code may be between the node and a plugin's function in a traceback."""


class HookFailed(Exception):
    """An implementation raised, took too long, or returned something invalid. It was reported."""

    def __init__(self, plugin: str, hook: str, what: str, *, late: bool = False) -> None:
        super().__init__(f"{plugin}: {hook} {what}")
        self.plugin = plugin
        self.late = late

    def as_refusal(self) -> Refusal:
        """The refusal, for hooks whose failure refuses the operation."""
        if self.late:
            return Refusal("unavailable", f"the plugin {self.plugin} took too long", retry_after=5)
        return Refusal("internal", f"the plugin {self.plugin} failed; see the node's log")


def guard(
    function: Callable[..., Any], plugin: str, hook: str, seconds: float, report: ReportFailure
) -> Callable[..., Any]:
    """Wrap `function` with its budget: exceptions become `HookFailed`, except `Refusal`, which passes through."""

    def failed(what: str, error: BaseException | None = None, *, late: bool = False) -> HookFailed:
        report(hook, what, error)
        return HookFailed(plugin, hook, what, late=late)

    @wraps(function)
    async def run_async(*arguments: Any) -> Any:
        began = time.perf_counter()
        result: Any = None
        try:
            with trio.move_on_after(seconds) as scope:
                result = await function(*arguments)
        except Refusal:
            raise
        except FAILURES as error:
            raise failed(describe_error(error), error) from error
        if scope.cancelled_caught:
            raise failed(f"took longer than {seconds:g} s and was cancelled", late=True)
        if (took := time.perf_counter() - began) > seconds:
            report(
                hook,
                f"took {took:.3f} s of at most {seconds:g} and could not be cancelled: it blocked its thread, or "
                "waited for the database",
            )
        return result

    @wraps(function)
    def run_sync(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            with _sql_budget(arguments, seconds):
                result = finished(function(*arguments), iterable=True)
        except Refusal:
            raise
        except FAILURES as error:
            late = was_interrupted(error)
            what = f"took longer than {seconds:g} s and was cancelled" if late else describe_error(error)
            raise failed(what, error, late=late) from error
        if (took := time.perf_counter() - began) > seconds:
            report(hook, f"took {took:.3f} s of at most {seconds:g}")
        return result

    return run_async if iscoroutinefunction(function) else run_sync


def describe_error(error: BaseException) -> str:
    """The type of an error, and the last line of the plugin's code in its traceback; not its text, which may contain
    message text, unless it is the node's own (`Misuse`). The log has the traceback."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseException", error.exceptions[0])
    said = f": {error}" if isinstance(error, Misuse) else f" ({error.code})" if isinstance(error, Refusal) else ""
    places = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if not places:
        return f"raised {type(error).__name__}{said}"
    roots = [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in places]
    plugin = next((root for root in roots if root not in _NOT_OF_PLUGINS), roots[-1])
    if isinstance(error, Misuse) and plugin == "chatnode":
        return f"raised {type(error).__name__}{said}"
    frame, line = next(place for place, root in zip(reversed(places), reversed(roots), strict=True) if root == plugin)
    code = frame.f_code
    return f"raised {type(error).__name__} at {_short(code.co_filename, plugin)}:{line} in {code.co_name}{said}"


def _short(filename: str, package: str) -> str:
    """The path of a module, relative to the directory that contains its package."""
    parts = Path(filename).parts
    begin = len(parts) - 1 - parts[::-1].index(package) if package in parts[:-1] else len(parts) - 1
    return "/".join(parts[begin:])


def _sql_budget(arguments: tuple[Any, ...], seconds: float) -> AbstractContextManager[object]:
    """Limit the CPU time of the SQL in a function that is called with a transaction or a reader."""
    source = next((each for each in arguments if isinstance(each, Reader | Transaction)), None)
    return budget(source, seconds, time.thread_time) if source is not None else nullcontext()


def is_json(known: object) -> bool:
    """Whether it is a mapping that can be encoded, so that a reply can include it."""
    try:
        return isinstance(known, Mapping) and bool(codec.encode(dict(cast("Mapping[str, Any]", known))))
    except TypeError:
        return False


def kind_of_function(function: Callable[..., Any]) -> str:
    """`async def` or `def`."""
    return "async def" if iscoroutinefunction(unguarded(function)) else "def"


def unguarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that was passed to `guard`."""
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = cast("Callable[..., Any]", inner)
    return function
