"""What the node sends, in a real browser: the service worker of the documentation shows it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import WebSocketConnection

from chatnode.testing import User
from tests.plugins.notifications.alerting import Alerts, subscribe
from tests.plugins.notifications.push_service import PushService
from tests.web.browser import Page, browser

HERE = Path(__file__).parent / "browser"
DOCUMENTED = Path(__file__).parents[4] / "docs/plugins/notifications.md"
TYPES = {"/": ("page.html", "text/html"), "/worker.js": ("worker.js", "text/javascript")}
OF_TEST = b"""
self.addEventListener("message", async () => {
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
});

const documented = show;
show = async (alert) => {
  await documented(alert);
  for (const client of await self.clients.matchAll()) client.postMessage("handled");
};
"""
"""DevTools cannot click on what the desktop shows. And to ask what is shown while something is being shown makes
Chromium forget it, so the worker tells when it is done."""


async def serve_files(stream: trio.SocketStream) -> None:
    """A page at any path, and its worker."""
    async with stream:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := await stream.receive_some()):
                return
            head += more
        path = head.split(b" ")[1].decode()
        name, kind = TYPES.get(path, TYPES["/"])
        body = (HERE / name).read_bytes() + (OF_TEST if name == "worker.js" else b"")
        lines = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        await stream.send_all(lines.encode() + body)


@asynccontextmanager
async def client_site() -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve_files, [listener])
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


class Workers:
    """Listens to what the browser tells of service workers, over the page's own connection."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.registration = ""
        self._socket: WebSocketConnection = page._socket
        self._get = self._socket.get_message
        self._socket.get_message = self._hear  # type: ignore[method-assign]

    async def _hear(self) -> Any:
        text = await self._get()
        message = json.loads(text)
        if message.get("method") == "ServiceWorker.workerRegistrationUpdated":
            for each in message["params"]["registrations"]:
                self.registration = each["registrationId"]
        return text

    async def push(self, origin: str, data: str) -> None:
        await self.page.send(
            "ServiceWorker.deliverPushMessage", origin=origin, registrationId=self.registration, data=data
        )


def test_the_worker_is_the_one_of_the_documentation() -> None:
    assert (HERE / "worker.js").read_text() in DOCUMENTED.read_text()


@pytest.mark.slow
async def test_shown_replaced_closed_and_opened(
    ann: User, bob: User, service: PushService, alerts: Alerts, tmp_path: Path
) -> None:
    receiver, _ = await subscribe(ann, service.address("/ann"))
    talk, room = await bob.direct(ann), await bob.group(ann)

    async with client_site() as origin, browser(tmp_path / "profile") as page:

        async def pushed() -> str:
            """What the last push says, but that the client is at another address."""
            await alerts.send()
            told = receiver.read(service.at("/ann")[-1].body)
            return json.dumps(told | {"url": f"{origin}/#{told['conversation']}"})

        workers = Workers(page)
        await page.send("Browser.grantPermissions", origin=origin, permissions=["notifications"])
        await page.send("ServiceWorker.enable")
        await page.open(f"{origin}/")
        await page.run("navigator.serviceWorker.ready.then(() => 0)")
        await page.open(f"{origin}/")  # the worker controls the page from the next load on
        await page.wait("navigator.serviceWorker.controller !== null")
        assert workers.registration
        push = partial(workers.push, origin)

        async def show(data: str) -> None:
            before = await page.run("handled")
            await push(data)
            await page.wait(f"handled > {before}")

        # Without content. What DevTools delivers before the browser has stored the worker is lost.
        with trio.fail_after(60):
            while not await page.run("handled"):
                await push(json.dumps({"v": 1, "id": "a" * 32, "badge": 0}))
                await trio.sleep(0.5)
        assert [each["title"] for each in await page.run("notifications()")] == ["New notification"]
        await page.run("closeAll()")

        await alerts.of(await bob.says(talk, "hello"), ann)
        await show(await pushed())
        (shown,) = await page.run("notifications()")
        assert (shown["title"], shown["body"], shown["tag"]) == ("bob", "hello", talk)

        await alerts.of(await bob.says(talk, "are you there?"), ann)
        await show(await pushed())
        assert [each["body"] for each in await page.run("notifications()")] == ["are you there?"]

        await ann.call("receipts.read", conversation=talk, seq=2)
        await alerts.of(await bob.says(room, "all of you"), ann)
        await show(await pushed())
        assert [each["tag"] for each in await page.run("notifications()")] == [room]

        await page.run("navigator.serviceWorker.ready.then((found) => found.active.postMessage('click'))")
        await page.wait(f"location.hash === '#{room}'")
        await page.wait("notifications().then((all) => all.length === 0)")
        assert page.problems == []
