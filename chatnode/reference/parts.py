"""Documents of which some parts are made from the code, between `<!-- made: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping


def fill_parts(text: str, parts: Mapping[str, Callable[[], Iterable[str]]]) -> str:
    """The document with these parts up to date: by name, what gives a part's lines."""
    for name, make in parts.items():
        made = "\n".join(make())
        text = re.sub(
            f"(<!-- made: {name} -->\n).*?(<!-- end -->)",
            lambda found, made=made: f"{found[1]}{made}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    return text
