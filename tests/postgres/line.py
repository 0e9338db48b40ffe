"""A line to a server on which something happens after so and so many bytes, of both directions."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

_NO_FAREWELL = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


class Line:
    """Stands between a client and the server of a URL.

    Attributes:
        url: the same database by way of the line.
        n_bytes: how many have passed.
    """

    def __init__(self, url, then=lambda: None):
        """Take connections; `then` is called at `cut_after` bytes, before the line is cut."""
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._then = then
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        user, _, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
        self.n_bytes = 0
        self.cut_after = None
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._connect, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _connect(self, client):
        with client, socket.socket() as server, suppress(OSError):
            server.connect(self._server)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._carry(client, server):
                self._then()
                for end in (client, server):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_FAREWELL)

    def _carry(self, client, server):
        """Carry bytes until one side is done (True), or the line is to be cut (False)."""
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    left = 1 << 16 if self.cut_after is None else self.cut_after - self.n_bytes
                    data = key.fileobj.recv(min(left, 1 << 16)) if left else b""
                    if not left:
                        return False
                    if not data:
                        return True
                    self.n_bytes += len(data)
                    other[key.fileobj].sendall(data)
                    if self.n_bytes == self.cut_after:
                        return False
