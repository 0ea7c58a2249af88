"""An HTTP server of a test, which writes down what it gets, and can be killed and brought back."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Delivered:
    """A request. Names of headers are in lower case. `answered`: the sender was told that it has come."""

    path: str
    headers: dict[str, str]
    body: bytes
    answered: bool


@dataclass
class Receiver:
    """Listens on the same port each time that it is up."""

    port: int = 0
    got: list[Delivered] = field(default_factory=list[Delivered])
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def up(self) -> None:
        """Listen."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                alive = receiver._server is self.server
                with receiver._lock:
                    receiver.got.append(Delivered(self.path, headers, body, alive))
                if alive:
                    self.send_response(201)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:  # as if it had died with it
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                """The node was killed in the middle of a request."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Connections are refused; what was just being received is never answered."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def at(self, path: str) -> list[Delivered]:
        """What came to a path."""
        with self._lock:
            return [each for each in self.got if each.path == path]
