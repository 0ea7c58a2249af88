"""A web site of strangers: a real server, in threads of its own, whose pages are set by tests."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """Pages by path; `hits` counts requests by path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.pages: dict[str, Answer] = {}
        self.hits = Counter[str]()

    def has(self, path: str, answer: Answer) -> str:
        """Set what is answered at a path; returns its URL."""
        self.pages[path] = answer
        return self.url + path

    def page(self, path: str, title: str, **fields: str) -> str:
        """A page with a title, and perhaps more in its head."""
        return self.has(path, html(f"<html><head><title>{title}</title>{metas(fields)}</head><body>x</body></html>"))


def metas(fields: dict[str, str]) -> str:
    return "".join(f'<meta property="og:{name}" content="{value}">' for name, value in fields.items())


def html(text: str | bytes, *, status: int = 200, content_type: str = "text/html; charset=utf-8") -> Answer:
    body = text if isinstance(text, bytes) else text.encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", content_type)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def redirect(location: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", location)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def endless(first: bytes) -> Answer:
    """A head, and then more until the client goes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(first)
        while True:
            request.wfile.write(b"<p>more</p>" * 1_000)

    return answer


def broken(request: BaseHTTPRequestHandler) -> None:
    """The connection ends in the middle of the head."""
    request.close_connection = True
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-")


def gate(opened: threading.Event, then: Answer) -> Answer:
    """An answer that waits."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        opened.wait(30)
        then(request)

    return answer


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.hits[self.path] += 1
            with suppress(OSError):
                site.pages.get(self.path, html("no such page", status=404))(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
