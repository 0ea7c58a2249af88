"""An egress proxy: everything is handed to it, and only it judges addresses."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from chatnode.outbound.errors import Blocked, Failed
from tests.outbound.sites import Site, answer, outbound, purpose, read_request, site

WHERE = {"a.example": "127.0.0.1"}
"""The proxy's own idea of names: the node's resolver knows none."""


@asynccontextmanager
async def proxy() -> AsyncGenerator[Site]:
    """A proxy for whole URLs and tunnels; it refuses hosts that it does not know."""

    async def script(stream: trio.abc.Stream, request: bytes) -> None:
        method, place, _ = request.split(b" ", 2)
        place = place.removeprefix(b"http://").partition(b"/")[0]
        host, _, port = place.decode().rpartition(":")
        if host not in WHERE:
            await stream.send_all(answer(status=403))
            return
        async with await trio.open_tcp_stream(WHERE[host], int(port)) as there:
            if method == b"CONNECT":
                await stream.send_all(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                await there.send_all(request.replace(b"http://" + place, b"", 1))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pump, stream, there)
                await pump(there, stream)
                nursery.cancel_scope.cancel()
        await stream.aclose()

    async with site(script) as there:
        yield there


async def pump(source: trio.abc.Stream, target: trio.abc.Stream) -> None:
    async for data in source:
        await target.send_all(data)


def knows_only_the_proxy(host: str) -> list[str]:
    if host == "proxy.example":
        return ["127.0.0.1"]
    raise AssertionError(f"the node looked up {host}")


async def test_urls_and_tunnels_go_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("a.example").configure_cert(context)
    async with site() as plain, site(tls=context) as secure, proxy() as through:
        url = f"http://user:p%40ss@proxy.example:{through.port}"
        async with outbound(names=knows_only_the_proxy, proxy=url) as client:
            both = purpose(ports=(plain.port, secure.port))
            for there in (plain, secure):
                answered = await client.request(both, "POST", there.url("/x?y", host="a.example"), body=b"hello")
                assert answered.body == b"ok"
                assert there.requests[0].startswith(b"POST /x?y HTTP/1.1\r\n")
                assert there.requests[0].endswith(b"hello")
        first, second = through.requests
        assert first.startswith(f"POST http://a.example:{plain.port}/x?y ".encode())
        assert second.startswith(f"CONNECT a.example:{secure.port} ".encode())
        for request in (first, second):
            assert b"Basic " + base64.b64encode(b"user:p@ss") in request
        assert b"Basic" not in secure.requests[0]


async def test_what_the_proxy_refuses_is_refused_and_denied_hosts_do_not_reach_it() -> None:
    async with proxy() as through:
        url = f"http://proxy.example:{through.port}"
        async with outbound(names=knows_only_the_proxy, proxy=url, deny=("denied.example",)) as client:
            with pytest.raises(Blocked, match=r"the proxy refuses https://b\.example"):
                await client.request(purpose(), "GET", "https://b.example/")
            assert (await client.request(purpose(), "GET", "http://b.example/")).status == 403
            asked = len(through.requests)
            for refused in ("https://denied.example/", "https://a.example:22/", "https://u@a.example/"):
                with pytest.raises(Blocked):
                    await client.request(purpose(), "GET", refused)
            assert len(through.requests) == asked


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as there, proxy() as through:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, through.url())
        async with outbound(there.place) as client:
            assert (await client.request(purpose(), "GET", there.url())).body == b"ok"
        assert through.connections == 0


async def test_a_proxy_that_is_gone_fails() -> None:
    async with site() as gone:
        pass
    async with outbound(proxy=gone.url().rstrip("/")) as client:
        with pytest.raises(Failed, match="the proxy for"):
            await client.request(purpose(), "GET", "http://a.example/")


async def test_the_reader_of_requests_splits_them() -> None:
    """The tests' own server: two requests in one packet are two."""
    sent = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\n"
    stream, _ = trio.testing.memory_stream_pair()
    first, rest = await read_request(stream, sent)
    second, rest = await read_request(stream, rest)
    assert (first[-2:], second[:3], rest) == (b"hi", b"GET", b"")
