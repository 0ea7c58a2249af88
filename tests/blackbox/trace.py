"""Reads what strace wrote: system calls with the moments at which each began and ended."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = "pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev"
#: Follow threads, show what descriptors are, whole buffers, every byte that is not ASCII as an escape.
STRACE = ("strace", "-f", "-yy", "-s", "1000000", "--quiet=all")

_WHOLE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)")
_BEGUN = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)")


@dataclass(frozen=True)
class Call:
    """A system call; `began` and `ended` are line numbers, so that they say what happened before what."""

    name: str
    arguments: str
    result: str
    began: int
    ended: int
    injected: bool = False
    """Whether strace gave the result, and the kernel was never asked."""

    @property
    def target(self) -> str:
        """The file or socket it was called on, as strace shows it."""
        return self.arguments.partition(",")[0]

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was asked."""
        return self.result.isdigit() and not self.injected


def calls(path: Path) -> Iterator[Call]:
    """The calls in a trace, in the order in which they ended."""
    begun: dict[str, tuple[str, str, int]] = {}
    with path.open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines):
            injected = line.rstrip("\n").endswith("(INJECTED)")
            if found := _WHOLE.match(line):
                yield Call(found[2], found[3], found[4], number, number, injected)
            elif found := _BEGUN.match(line.rstrip("\n")):
                begun[found[1]] = (found[2], found[3], number)
            elif (found := _ENDED.match(line)) and found[1] in begun:
                name, arguments, began = begun.pop(found[1])
                yield Call(name, arguments + found[3], found[4], began, number, injected)
