"""The bundle: chatnode with its own Python, in one file or in one directory (packaging/).

A bundle is its own interpreter: `chatnode [-I] -c PROGRAM` and `chatnode [-I] -m MODULE` do what Python does with them,
so a child process is started by `sys.executable` everywhere. This module imports little, as each of them imports it.
"""

from __future__ import annotations

import os
import sys

ROOT: str | None = getattr(sys, "_MEIPASS", None)
"""The directory that modules and libraries of the bundle are in; None when chatnode runs in a Python like any other."""

IS_ONE_FILE = ROOT is not None and os.path.basename(ROOT).startswith("_MEI")
"""Whether it is one file, which unpacks itself into `ROOT` at each start."""

_LIBRARIES = "LD_LIBRARY_PATH"
_ORIGINAL = f"{_LIBRARIES}_ORIG"
_own: dict[str, str] = {}


def python_variables() -> dict[str, str]:
    """What a process that runs `sys.executable` needs in its environment to find its libraries."""
    if ROOT is not None:
        return dict(_own)
    return {name: os.environ[name] for name in (_LIBRARIES,) if name in os.environ}


def start(arguments: list[str]) -> bool:
    """Begin a program of the bundle: `arguments` are those of the process. Returns whether it was run as Python here,
    and there is nothing left to do.

    The environment becomes that of a program which is in no bundle: others that are started would look for their
    libraries in ours, and another chatnode would take itself for a part of this one.
    """
    for name in list(os.environ):
        if name in (_LIBRARIES, _ORIGINAL) or name.startswith("_PYI_"):
            _own[name] = os.environ.pop(name)
    if _ORIGINAL in _own:
        os.environ[_LIBRARIES] = _own[_ORIGINAL]
    words = arguments[2:] if arguments[1:2] == ["-I"] else arguments[1:]
    match words:
        case ["-c", program, *rest]:
            sys.argv[:] = ["-c", *rest]
            exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
        case ["-m", module, *rest]:
            from runpy import run_module

            sys.argv[:] = [module, *rest]
            run_module(module, run_name="__main__", alter_sys=True)
        case _:
            return False
    return True
