"""A network that breaks: a proxy that cuts a connection after some bytes, however well it goes."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager

Address = tuple[str, int]
_RESET = struct.pack("ii", 1, 0)


class CuttingProxy:
    """Passes everything on to `target`, which may change. Each time a random number of bytes came from clients, between
    `least` and `most`, the connection with the last of them is cut, half of the times with a reset. `sent` counts
    these bytes."""

    def __init__(self, target: Address, least: int, most: int, seed: int = 0) -> None:
        self.target = target
        self.sent = 0
        self.cuts = 0
        self._least, self._most = least, most
        self._random = random.Random(seed)
        self._room = self._random.randint(least, most)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = False

    @property
    def address(self) -> Address:
        return self._listening.getsockname()

    @contextmanager
    def running(self) -> Generator[CuttingProxy]:
        accepting = threading.Thread(target=self._accept_forever, daemon=True)
        accepting.start()
        try:
            yield self
        finally:
            self._over = True
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            accepting.join()

    def _accept_forever(self) -> None:
        while not self._over:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                node = socket.create_connection(self.target)
            except OSError:
                client.close()  # the node is down
                continue
            threading.Thread(target=self._pass_on, args=(client, node), daemon=True).start()
            threading.Thread(target=self._pass_back, args=(node, client), daemon=True).start()

    def _pass_on(self, client: socket.socket, node: socket.socket) -> None:
        with client, node, contextlib.suppress(OSError):
            while data := client.recv(65_536):
                node.sendall(data)
                self.sent += len(data)
                self._room -= len(data)
                if self._room <= 0:
                    self._room = self._random.randint(self._least, self._most)
                    self.cuts += 1
                    if self._random.random() < 0.5:
                        for each in (client, node):
                            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
            for each in (client, node):
                each.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass_back(node: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := node.recv(65_536):
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
