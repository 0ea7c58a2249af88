"""Chromium without a window, steered over its DevTools protocol: enough to load a page and run script in it."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from tests import needs

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)  # fmt: skip


class Page:
    """The browser's one page. `problems` collects what it complained about, such as a blocked script."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._count = 0
        self.problems: list[str] = []

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        await self._socket.send_message(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.get_message())
            if message.get("method") == "Log.entryAdded" and not _is_answer(message["params"]["entry"]):
                self.problems.append(message["params"]["entry"]["text"])
            if message.get("method") == "Runtime.exceptionThrown":
                self.problems.append(str(message["params"]["exceptionDetails"]))
            if message.get("id") == self._count:
                return message["result"]

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)
        await self.wait("document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def wait(self, script: str) -> None:
        """Until the expression is true."""
        with trio.fail_after(30):
            while not await self.run(script):  # noqa: ASYNC110 - the page cannot set an event of ours
                await trio.sleep(0.05)


def _is_answer(entry: dict[str, Any]) -> bool:
    """Whether it only says that the node refused something, as it does who is asked for and is not signed in."""
    return entry["source"] == "network" and re.search(r"status of 4\d\d", entry["text"]) is not None


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Page]:
    """A browser with a fresh profile; ended with the block."""
    command = [needs.program("chromium", "chromium-browser"), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with trio.fail_after(60):
            url = await _page_url(profile)
        async with open_websocket_url(url, max_message_size=2**24) as socket:
            page = Page(socket)
            for domain in ("Page", "Runtime", "Log"):
                await page.send(f"{domain}.enable")
            yield page
    finally:
        process.terminate()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _page_url(profile: Path) -> str:
    """Where the page is steered; the browser writes its port to a file once it listens."""
    port_file = profile / "DevToolsActivePort"
    while True:
        if port_file.exists() and (port := port_file.read_text().partition("\n")[0]):
            for target in await trio.to_thread.run_sync(_targets, int(port)):
                if target["type"] == "page":
                    return target["webSocketDebuggerUrl"]
        await trio.sleep(0.05)


def _targets(port: int) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
        return json.load(answer)
