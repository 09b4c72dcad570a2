"""What the servers of Telegram, X and Reddit are built on: HTTP/1.1 on a real socket of 127.0.0.1, a thread a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self


class Asked(NamedTuple):
    method: str
    target: str
    headers: Message
    body: bytes


class Answer(NamedTuple):
    """A body, or for a stream its chunks as they come; `cut` ends the connection in the middle of the body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    chunks: Callable[[], Iterator[bytes]] | None = None
    cut: bool = False


@dataclass
class Serving:
    """A platform. `asked` are the requests so far; `faults` are answers to give before any other, in turn."""

    asked: list[Asked] = field(default_factory=list)
    faults: list[Answer] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def served(self) -> int:
        return len(self.asked)

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.block_on_close = True
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.stopped.set()
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(platform: Serving) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def _serve(self) -> None:
            asked = Asked(self.command, self.path, self.headers, self.rfile.read(int(self.headers.get("content-length", "0"))))
            platform.asked.append(asked)
            answer = platform.faults.pop(0) if platform.faults else platform.answer(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            # One request a connection: an idle one would keep its thread, and the server, alive.
            self.send_header("connection", "close")
            self.close_connection = True
            if answer.chunks:
                self._stream(answer.chunks(), cut=answer.cut)
            else:
                self.send_header("content-length", str(len(answer.body) + answer.cut))
                self.end_headers()
                self.wfile.write(answer.body)

        def _stream(self, chunks: Iterator[bytes], *, cut: bool) -> None:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                for chunk in chunks:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
                if not cut:
                    self.wfile.write(b"0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_GET = do_POST = _serve  # noqa: N815 - the names that BaseHTTPRequestHandler calls

        def log_message(self, *args: object) -> None:
            """Quiet."""

    return Handler
