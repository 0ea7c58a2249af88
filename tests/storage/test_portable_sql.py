"""SQL of the core and of built-in plugins is in words that PostgreSQL takes too, but for what some modules are for.

Here go the forms that a look at the code finds; `test_postgres.py` hands PostgreSQL the statements themselves.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs
import pytest

from tests.sources import parsed

ROOT = Path(__file__).parents[2]

FORMS = {
    "INSERT OR": (r"\b(INSERT|UPDATE) OR [A-Z]+\b|\bREPLACE INTO\b", "ON CONFLICT"),
    "IS ?": (r"\bIS( NOT)? [?:{](?!…} IS)", "IS [NOT] DISTINCT FROM"),
    "rowid": (r"\browid\b(?!s)", "a key with a name"),
    "iif": (r"\biif\(", "CASE"),
    "ifnull": (r"\bifnull\(", "coalesce"),
    "GLOB": (r"\bGLOB\b", "LIKE, or a range"),
    "LIMIT a, b": (r"\bLIMIT [\w?:]+, ", "LIMIT … OFFSET …"),
    "max(a, b)": (r"\b(max|min)\((?=[a-z])[^()]*(\([^()]*\)[^()]*)*,", "dialect.greatest or dialect.least"),
    "truth": (r"\b(WHERE|AND|OR|NOT) \(?[01]\b(?! [<>=]| PRECEDING)|\bNOT [a-z]+\.\w+\b(?! )", "TRUE, FALSE, = 1, = 0"),
    "char": (r"\bchar\(", "the character itself"),
    "time": (r"\b(strftime|unixepoch|julianday)\(|\b(date|datetime)\('", "milliseconds from Python"),
    "JSON": (r"\bjson_\w+\(|->", "storage/engine/dialect.py"),
    "planner": (r"\b(likelihood|likely|unlikely)\(|\bINDEXED BY\b", "dialect.usually"),
    "join order": (r"\bCROSS JOIN \w+ \w+ ON\b|\bCROSS JOIN \w+ \w+ *$", "dialect.IN_ORDER"),
    "catalogue": (r"\bsqlite_(schema|master|sequence)\b|\bpragma_\w+\b", "storage/engine/catalogue.py"),
    "PRAGMA": (r"\bPRAGMA \w", "a module of storage/engine"),
    "full text": (r"\bMATCH [?:]|\bVIRTUAL TABLE\b|\bfts5", "storage/search"),
    "number of rows": (r"^lastrowid$", "RETURNING"),
}
"""Name: the form, and what is written in its place."""

_ENGINE, _STORAGE = "chatnode/storage/engine", "chatnode/storage"
ONLY_SQLITE = {
    f"{_ENGINE}/dialect.py": {"JSON", "planner"},
    f"{_ENGINE}/catalogue.py": {"INSERT OR", "PRAGMA", "catalogue", "rowid"},
    f"{_ENGINE}/connection.py": {"PRAGMA"},
    f"{_ENGINE}/database.py": {"PRAGMA"},
    f"{_ENGINE}/gaps.py": {"PRAGMA"},
    f"{_ENGINE}/guarded.py": {"PRAGMA"},
    f"{_ENGINE}/maintenance.py": {"PRAGMA"},
    f"{_ENGINE}/migrations.py": {"catalogue"},
    f"{_ENGINE}/writer.py": {"PRAGMA"},
    f"{_STORAGE}/node/plugins.py": {"catalogue", "rowid"},  # the authorizer; any table, row by row
    f"{_STORAGE}/search/": {"JSON", "catalogue", "full text", "join order", "rowid"},
    f"{_STORAGE}/upkeep/": {"PRAGMA"},
    "plugins/chatnode_crm/contacts/index.py": {"full text", "rowid"},
    "plugins/": {"JSON", "join order"},  # plugins' SQL is SQLite's, and may say so where it gains
}


@attrs.frozen
class Text:
    """A text in a module; what an f-string puts in is `{…}`."""

    place: str
    line: int
    text: str


def texts() -> Iterator[Text]:
    for folder in ("chatnode/storage", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            tree = parsed(path.read_text(encoding="utf-8"))
            yield from (Text(place, line, text) for line, text in _texts(tree))


def _texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.Constant):
            if isinstance(child.value, str):
                yield child.lineno, child.value
        elif isinstance(child, ast.JoinedStr):
            pieces = [piece.value if isinstance(piece, ast.Constant) else "{…}" for piece in child.values]
            yield child.lineno, "".join(map(str, pieces))
            for piece in child.values:
                yield from _texts(piece) if isinstance(piece, ast.FormattedValue) else ()
        else:
            if isinstance(child, ast.Attribute):
                yield child.lineno, child.attr
            yield from _texts(child)


@cache
def found() -> dict[tuple[str, str], list[Text]]:
    """By module and form."""
    by: dict[tuple[str, str], list[Text]] = {}
    for each in texts():
        for form, (pattern, _) in FORMS.items():
            if re.search(pattern, each.text):
                by.setdefault((each.place, form), []).append(each)
    return by


def test_only_some_modules_are_sqlites_alone() -> None:
    wrong = [
        f"{each.place}:{each.line}: {form}; write {FORMS[form][1]}: {each.text[:80]}"
        for (place, form), those in found().items()
        for each in those
        if not any(place.startswith(where) and form in forms for where, forms in ONLY_SQLITE.items())
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_is_let_off_what_it_does_not_do() -> None:
    for where, forms in ONLY_SQLITE.items():
        assert forms == forms & {form for place, form in found() if place.startswith(where)}, where


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("INSERT OR", "INSERT OR IGNORE INTO a VALUES (?)"),
        ("IS ?", "a IS NOT :b"),
        ("rowid", "SELECT rowid FROM a"),
        ("max(a, b)", "SELECT max(coalesce(a, 0), b)"),
        ("truth", "WHERE 1"),
        ("JSON", "a ->> 'b'"),
        ("join order", "a CROSS JOIN b c ON c.d = a.d"),
        ("LIMIT a, b", "LIMIT ?, 5"),
    ],
)
def test_a_form_is_found(form: str, text: str) -> None:
    assert re.search(FORMS[form][0], text)


@pytest.mark.parametrize("text", ["SELECT max(a), b", "a IS NOT NULL", "WHERE a = 1 AND NOT EXISTS", "count(*) > 0"])
def test_what_all_take_is_let_through(text: str) -> None:
    assert not [form for form, (pattern, _) in FORMS.items() if re.search(pattern, text)]
