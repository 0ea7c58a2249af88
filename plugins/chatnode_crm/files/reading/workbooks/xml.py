"""XML in pieces, with handlers of its elements by local name."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any
from xml.parsers import expat

from chatnode_crm.files.reading.model import UnreadableFile

_TOKEN = 4_000_000
"""Bytes of one tag: more is no XML of a workbook."""


def make_parser() -> expat.XMLParserType:
    """A parser that refuses DOCTYPE, and with it every entity of a document's own."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def feed(parser: expat.XMLParserType, pieces: Generator[bytes], what: str) -> Iterator[None]:
    """Parse the pieces; each step is one of them."""
    fed = 0
    try:
        with closing(pieces):
            for piece in pieces:
                parser.Parse(piece, False)
                fed += len(piece)
                if fed - parser.CurrentByteIndex > _TOKEN:
                    raise UnreadableFile("damaged", f"{what} is damaged: a tag is too long")
                yield
        parser.Parse(b"", True)
        yield
    except expat.ExpatError as refused:
        raise UnreadableFile("damaged", f"{what} is damaged: {refused}") from None


def elements(pieces: Generator[bytes], what: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The elements of a small document: local name and attributes, also without their namespaces."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = make_parser()

    def start(name: str, attributes: dict[str, str]) -> None:
        found.append((local(name), {local(key): value for key, value in attributes.items()}))

    parser.StartElementHandler = start
    for _ in feed(parser, pieces, what):
        yield from found
        found.clear()


def local(name: str) -> str:
    """The name without its prefix."""
    return name.rpartition(":")[2]


def _refuse_doctype(*_: Any) -> None:
    raise UnreadableFile("damaged", "the file has a DOCTYPE, which workbooks do not have; save it again as XLSX")
