"""The node's scanner: connected to clamd, proved, and asked for verdicts. Closed when in doubt."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import trio

from chatnode.api import Allow, Context, Deny, Refusal
from chatnode_attachments.addresses import parse_clamd
from chatnode_attachments.scanning.canary import Blind, prove
from chatnode_attachments.scanning.clamd import ClamdSession, NoAnswer, open_session
from chatnode_attachments.scanning.verdicts import Clean, Infected, ScannerState, ScanVerdict, Unknown
from chatnode_attachments.settings import MIB, AttachmentsSettings

KEEPALIVE_SECONDS = 15.0
"""How often an idle session is used, so that clamd keeps it, and an update of its database is seen."""
FIRST_WAIT, MOST_WAIT = 1.0, 30.0
"""Seconds between attempts to reach clamd, doubled from one to the next."""


class Scanner:
    """Gives verdicts about files while `run` runs, and has a `state` always.

    A verdict counts only if the session that gave it was proved with the version that clamd has after the scan. Another
    version, a lost session, and a canary that was not found end the session; `run` begins another.
    """

    def __init__(self, settings: AttachmentsSettings) -> None:
        self._address = parse_clamd(settings.clamd)
        self._most_bytes = settings.scan_max_mib * MIB
        self._seconds = settings.scan_seconds
        self._session: ClamdSession | None = None
        self._changed = trio.Event()
        self._wait = FIRST_WAIT
        """Seconds before the next attempt to get a session."""
        self.state: ScannerState = "off" if self._address is None else "down"
        self.why = "" if self._address is None else "clamd was not reached yet"
        """Why the state is not `ok`, in a sentence for the operator."""
        self.version = ""
        """Of clamd and its database, as long as the state is `ok`."""

    @property
    def on(self) -> bool:
        """Whether files are scanned on this node at all."""
        return self._address is not None

    @property
    def most_bytes(self) -> int:
        """The largest file that is scanned; 0 if nothing is scanned and so nothing is too large."""
        return self._most_bytes if self.on else 0

    async def ready(self) -> None:
        """Wait until the scanner can give verdicts."""
        while self.state != "ok":
            await self._changed.wait()

    async def verdict(self, ctx: Context, path: Path, bytes: int) -> ScanVerdict:
        """What clamd and the plugins that scan say about a file of this size. Raises nothing of theirs."""
        if bytes > self._most_bytes:
            return Unknown(f"the file is larger than scan_max_mib, {self._most_bytes // MIB}")
        try:
            descriptor = await trio.to_thread.run_sync(_open, path, bytes)
        except OSError as error:
            return Unknown(f"the file cannot be read: {error.strerror or error}")
        try:
            found = await self._scan(descriptor, bytes)
        finally:
            os.close(descriptor)
        return await _ask_plugins(ctx, path, found) if isinstance(found, Clean) else found

    async def _scan(self, descriptor: int, bytes: int) -> ScanVerdict:
        session, version = self._session, self.version
        if session is None:
            return Unknown(self.why)
        try:
            found = await session.scan(descriptor, bytes, self._seconds)
            if isinstance(found, Unknown):
                return found
            await self._check(session)
        except NoAnswer as error:
            return Unknown(str(error))
        return Clean(version) if isinstance(found, Clean) else Infected(found.name, version)

    # ---- the session

    async def run(self, report: Callable[[str], None]) -> None:
        """Keep a proved session, for ever. `report` is called with each new reason why there is none."""
        reported = ""
        while self.on:
            try:
                await self._keep_session()
            except NoAnswer as error:
                self._become("down", str(error))
            except Blind as error:
                self._become("misconfigured", str(error))
            if self.why != reported:
                report(self.why)
            reported = self.why
            await trio.sleep(self._wait)
            self._wait = min(2 * self._wait, MOST_WAIT)

    async def _keep_session(self) -> NoReturn:
        """Raises `NoAnswer`, at the latest when the session ends, or `Blind`."""
        assert self._address is not None
        async with open_session(self._address) as session:
            version = await session.version(self._seconds)
            await prove(session, self._most_bytes, self._seconds)
            self._session, self.version = session, version
            try:
                await self._check(session)
                self._become("ok", "")
                self._wait = FIRST_WAIT
                while True:
                    with trio.move_on_after(KEEPALIVE_SECONDS):
                        await session.lost.wait()
                    await self._check(session)
            finally:
                self._session = None
                self._become("down", "the scanner stopped")

    async def _check(self, session: ClamdSession) -> None:
        """Raises `NoAnswer` unless clamd is what was proved."""
        if await session.version(self._seconds) != self.version:
            session.lose("clamd has another database now")
            raise NoAnswer(session.why)

    def _become(self, state: ScannerState, why: str) -> None:
        self.state, self.why = state, why
        self._changed.set()
        self._changed = trio.Event()


def _open(path: Path, bytes: int) -> int:
    """The descriptor of a file that has this size. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if (size := os.fstat(descriptor).st_size) != bytes:
        os.close(descriptor)
        raise OSError(f"it has {size} bytes instead of {bytes}")
    return descriptor


async def _ask_plugins(ctx: Context, path: Path, found: Clean) -> ScanVerdict:
    """All plugins that scan must allow it as well."""
    try:
        said = await ctx.ask("scan_file", path=path)
    except Refusal as error:
        return Unknown(f"a plugin did not scan it: {error.message}")
    for each in said:
        if isinstance(each, Deny):
            return Infected(each.reason[:300], found.by)
        if not isinstance(each, Allow):
            return Unknown("a plugin scanned it, and returned neither Allow nor Deny")
    return found
