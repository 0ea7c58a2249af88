"""The `chatnode` command, also as `python -m chatnode`.

Scripts run `chatnode call` in loops, so the plain form of it asks a running node from here: the parser of the command
line alone takes twice as long to import as all that is needed for this.
"""

from __future__ import annotations

import os
import sys

from chatnode import control_socket
from chatnode.errors import Refusal, StartError


def main() -> None:
    """Entry point; exits with 1 and a line on standard error when something is wrong."""
    if not _call_at_once(sys.argv[1:]):
        from chatnode.cli import main as command_line

        command_line()


def _call_at_once(words: list[str]) -> bool:
    """Run `[--data DIR] call COMMAND [NAME=TEXT …]` on a running node. False: the command line has to see to it.

    So it is with every other form, and with what has a mistake in it.
    """
    data = os.environ.get("CHATNODE_DATA") or "data"
    if len(words) > 2 and words[0] == "--data":
        data, words = words[1], words[2:]
    if words[:1] != ["call"] or {"CHATNODE_TOKEN", "_CHATNODE_COMPLETE"} & os.environ.keys():
        return False
    fields = [word.partition("=") for word in words[2:]]
    plain = all(separator and name and not name.endswith(":") for name, separator, _ in fields)
    plain = plain and len({name for name, _, _ in fields}) == len(fields)
    if len(words) < 2 or not plain or any(word.startswith("-") or not _is_text(word) for word in words):
        return False
    node = control_socket.connect(data) if data else None
    if node is None:
        return False
    try:
        with node:
            result = node.call(words[1], **{name: text for name, _, text in fields})
        print(control_socket.shown(result), flush=True)  # noqa: T201
    except (StartError, Refusal, UnicodeEncodeError) as error:
        from chatnode.cli import fail

        fail(error)
    except KeyboardInterrupt:
        sys.exit("Aborted!")
    except BrokenPipeError:  # the reader has closed the pipe: nothing is left to be written at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        from chatnode.cli import fail_to_write

        fail_to_write(error)
    return True


def _is_text(word: str) -> bool:
    """Whether the shell handed over UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


if __name__ == "__main__":
    main()
