"""`python -m tests.checker FILE`: print every violation; exit status 1 when there is one."""

import sys
from pathlib import Path

from .check import check
from .history import History


def main(arguments: list[str]) -> int:
    """Check one history."""
    if len(arguments) != 1:
        print("usage: python -m tests.checker FILE", file=sys.stderr)
        return 2
    history = History.load(Path(arguments[0]))
    violations = check(history.records)
    for violation in violations:
        print(violation)
    print(f"{len(history.records)} records, {len(violations)} violations")
    return 1 if violations else 0


sys.exit(main(sys.argv[1:]))
