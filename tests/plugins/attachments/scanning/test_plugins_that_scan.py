"""Other plugins that scan, beside clamd: all must allow a file, and none may be left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import chatnode_attachments
import pytest
import trio
from chatnode_attachments.scanning.clamd import ClamdSession
from chatnode_attachments.scanning.scanner import Scanner
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScanVerdict, Unknown
from chatnode_attachments.settings import AttachmentsSettings

from chatnode.api import Allow, Deny, Refusal
from chatnode.config import Config
from chatnode.node import open_node
from tests.plugins.attachments.store.storing import context
from tests.plugins.surface.making import made

Answer = Callable[[bytes], Awaitable[object]]


class _CleanSession(ClamdSession):
    """A clamd that passes everything."""

    def __init__(self) -> None: ...

    async def scan(self, descriptor: int, bytes: int, seconds: float) -> ScanVerdict:
        return Clean()

    async def version(self, seconds: float) -> str:
        return "ClamAV 1"


async def verdict(tmp_path: Path, *answers: Answer) -> ScanVerdict:
    """About a file, with plugins that answer so."""
    plugins = [chatnode_attachments]
    for n, answer in enumerate(answers):

        async def scan_file(path: Path, answer: Answer = answer) -> object:
            return await answer(await trio.Path(path).read_bytes())

        plugins.append(made(f"scanner{n}", scan_file))
    file = tmp_path / "file"
    file.write_bytes(b"content")
    async with open_node(tmp_path / "data", Config(), only=plugins) as node:
        assert {each.state for each in node.plugins.statuses()} == {"running"}
        scanner = Scanner(AttachmentsSettings(clamd="unix:/nowhere"))
        scanner._session, scanner.version = _CleanSession(), "ClamAV 1"
        return await scanner.verdict(context(node), file, 7)


async def allows(content: bytes) -> object:
    assert content == b"content"
    return Allow()


async def denies(content: bytes) -> object:
    return Deny("Evil.Macro")


async def cannot(content: bytes) -> object:
    raise Refusal("unavailable", "its service is down")


async def breaks(content: bytes) -> object:
    raise RuntimeError(content)


async def says_nothing(content: bytes) -> object:
    return None


async def test_without_other_plugins_clamd_decides(tmp_path: Path) -> None:
    assert await verdict(tmp_path) == Clean("ClamAV 1")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((allows, allows), Clean("ClamAV 1")),
        ((allows, denies), Infected("Evil.Macro", "ClamAV 1")),
        ((denies, allows), Infected("Evil.Macro", "ClamAV 1")),
    ],
)
async def test_all_must_allow_it(tmp_path: Path, answers: tuple[Answer, ...], expected: ScanVerdict) -> None:
    assert await verdict(tmp_path, *answers) == expected


@pytest.mark.parametrize(("answer", "why"), [(cannot, "down"), (breaks, "failed"), (says_nothing, "neither")])
async def test_one_that_gives_no_verdict_is_not_left_out(tmp_path: Path, answer: Answer, why: str) -> None:
    found = await verdict(tmp_path, allows, answer)
    assert isinstance(found, Unknown)
    assert why in found.why
