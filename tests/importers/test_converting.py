"""The second process that converts texts, and sorting on disk."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from chatnode.importers import Converter, converting, spool
from chatnode.importers.converting import converted
from chatnode.importers.spool import Spool
from chatnode.importers.zulip_markdown import markdown

TEXTS = [f"<p><em>{number}</em> \u2029 {chr(0x1F33B)}</p>" for number in range(300)] + [""]


@pytest.mark.parametrize("cores", [1, 2])
def test_the_same_with_and_without_a_second_core(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting.os, "sched_getaffinity", lambda _: range(cores))
    expected = converted(markdown, TEXTS)
    assert expected[0] == ("*0* \u2029 \U0001f33b", "")
    assert expected[-1] == (None, "it has no text")
    with Converter(markdown) as converter:
        for texts in (TEXTS, TEXTS[:3], TEXTS):
            converter.begin(texts)
            assert converter.end() == converted(markdown, texts)
        assert (converter._process is not None) == (cores == 2)


def test_what_died_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting.os, "sched_getaffinity", lambda _: range(2))
    with Converter(markdown) as converter:
        converter.begin(TEXTS)
        assert converter._process is not None
        converter._process.kill()
        assert converter.end() == converted(markdown, TEXTS)
        converter.begin(TEXTS)
        assert converter.end() == converted(markdown, TEXTS)


def test_texts_that_need_nothing() -> None:
    with Converter(None) as converter:
        converter.begin(["a", ""])
        assert converter.end() == [("a", ""), ("", "")]


@pytest.mark.parametrize("in_memory", [10, 10**6])
def test_records_come_sorted_by_both_numbers(in_memory: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    places = [(first, second) for first in (0, 255, 256, 2**40) for second in (0, 1, 300)]
    random.Random(1).shuffle(places)
    with Spool() as sorting:
        for place in places:
            sorting.add(*place, repr(place).encode())
        assert [record.decode() for record in sorting] == [repr(place) for place in sorted(places)]
