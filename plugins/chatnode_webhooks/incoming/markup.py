"""Slack's markup as Markdown, which the texts of messages are in.

Markup is only what these forms match, outside of code. Anything else between `<` and `>` stays as it is, as do
asterisks and underscores, so logs and source code that programs post without escaping them arrive unchanged. `&amp;`,
`&lt;` and `&gt;` stand for their characters everywhere, in code too.

| Slack | Markdown |
| --- | --- |
| `<https://example.org|label>` | `[label](https://example.org)` |
| `<https://example.org>` | `https://example.org`, or with the brackets if it does not stand alone |
| `<mailto:ann@example.org|label>` | `[label](mailto:ann@example.org)` |
| `<@id>` | `@handle`, if the user with this id is a member |
| `<!here>`, `<!channel>`, `<!everyone>` | `@everyone` |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_MARK = re.compile(
    r"<(?:(?P<address>(?:https?://|mailto:)[^\s<>|]++)(?:\|(?P<label>[^<>\r\n]*+))?+"
    r"|@(?P<person>[0-9a-f]{32})(?:\|[^<>\r\n]*+)?+"
    r"|!(?:here|channel|everyone)(?:\|[^<>\r\n]*+)?+)>"
)
_ENTITY = re.compile("&(?:amp|lt|gt);")
_CHARACTERS = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_RUN = re.compile(r"(?m)`++|^[ \t]*+~{3,}+")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FENCE = 3
_PERSON = re.compile(r"<@([0-9a-f]{32})[|>]")
_HANDLE_GOES_ON = re.compile(r"[._-]*[A-Za-z0-9@]")
_IN_TARGET = {"(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "\\": "%5C"}


def named_people(text: str) -> set[str]:
    """The ids of users that the text may name."""
    return set(_PERSON.findall(text))


def as_markdown(text: str, handles: Mapping[str, str]) -> str:
    """The text in Markdown. `handles` are those of the members among `named_people`, by id."""
    parts: list[str] = []
    for start, end, is_code in _regions(text):
        if is_code:
            parts.append(decode(text[start:end]))
        else:
            _convert(text, start, end, handles, parts)
    return "".join(parts)


def decode(text: str) -> str:
    """Slack's escapes as their characters, each once: `&amp;lt;` is `&lt;`."""
    return _ENTITY.sub(lambda found: _CHARACTERS[found[0]], text)


def link(label: str, address: str) -> str:
    """A link in Markdown. The label is shown as it is written."""
    target = re.sub(r"[()<>\\]", lambda found: _IN_TARGET[found[0]], address)
    return f"[{escape(label)}]({target})"


def escape(text: str) -> str:
    """A text that Markdown shows as it is written, within a link or in bold."""
    return re.sub(r"[\\\[\]*_`]", r"\\\g<0>", text)


def _convert(text: str, start: int, end: int, handles: Mapping[str, str], parts: list[str]) -> None:
    begin = start
    for mark in _MARK.finditer(text, start, end):
        before = decode(text[begin : mark.start()])
        said = _replacement(text, mark, handles)
        if said.startswith("[") and before.endswith("!"):
            before = f"{before[:-1]}\\!"  # else it is a picture
        parts += (before, said)
        begin = mark.end()
    parts.append(decode(text[begin:end]))


def _replacement(text: str, mark: re.Match[str], handles: Mapping[str, str]) -> str:
    if mark["address"] is not None:
        return _address(text, mark)
    if mark["person"] is None:
        return _apart(text, mark, "@everyone")
    handle = handles.get(mark["person"])
    return decode(mark[0]) if handle is None else _apart(text, mark, f"@{handle}")


def _address(text: str, mark: re.Match[str]) -> str:
    address, label = decode(mark["address"]), decode(mark["label"] or "").strip()
    bare = address.removeprefix("mailto:")
    if label and label != bare:
        return link(label, address)
    around = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
    return bare if all(each == "" or each.isspace() for each in around) else f"<{address}>"


def _apart(text: str, mark: re.Match[str], mention: str) -> str:
    """A mention that does not run into the word beside it."""
    before = text[mark.start() - 1 : mark.start()]
    space_before = " " if before.isalnum() or before in tuple("@._-\\") else ""
    space_after = " " if _HANDLE_GOES_ON.match(text, mark.end()) or text[mark.end() : mark.end() + 1].isalnum() else ""
    return f"{space_before}{mention}{space_after}"


# ---- code


def _regions(text: str) -> Iterator[tuple[int, int, bool]]:
    """Begin and end of what is code and what is not, in order; together they are the text.

    Code is between runs of equally many backticks: one or two of them within a paragraph; what three or more open, and
    a line of tildes, goes on to the end if nothing closes it.
    """
    runs = _runs(text)
    begin = position = 0
    while (opening := _RUN.search(text, position)) is not None:
        closing = _closing(text, runs, opening)
        position = opening.end() if closing is None else closing
        if closing is not None:
            yield begin, opening.start(), False
            yield opening.start(), closing, True
            begin = closing
    yield begin, len(text), False


def _runs(text: str) -> dict[str, list[int]]:
    """Where runs of each kind and length begin, the last one first."""
    found: dict[str, list[int]] = {}
    for run in _RUN.finditer(text):
        found.setdefault(run[0].strip(" \t"), []).append(run.start())
    for starts in found.values():
        starts.reverse()
    return found


def _closing(text: str, runs: dict[str, list[int]], opening: re.Match[str]) -> int | None:
    """Where the code that a run opens ends; None if it opens none."""
    run = opening[0].strip(" \t")
    starts = runs[run]
    while starts and starts[-1] < opening.end():
        starts.pop()
    if len(run) >= _FENCE:
        return text.index(run, starts[-1]) + len(run) if starts else len(text)
    if not starts or _BLANK_LINE.search(text, opening.end(), starts[-1]):
        return None
    return starts[-1] + len(run)
