"""HTTP/2 servers in Python, of which every frame is seen."""

import socket
import ssl
import threading

import http2
from origins import pattern
from ports import listener

PATIENCE = 60  # seconds that an echo waits for more, and for room


class Origin:
    """An HTTP/2 server; `handler` gets each request's stream, in a thread of its own.

    With `hostile`, a function of the connection's Endpoint, nothing is done but what that does.
    """

    def __init__(self, handler=None, *, leaf, address="127.0.0.1", alpn=("h2",), hostile=None, **end):
        self.handler = handler or standard
        self.hostile = hostile
        self.end = end
        self.address = address
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, leaf))
        self.context.set_alpn_protocols(list(alpn))
        self.connections = []
        self.accepted = 0
        self.listener = listener(address)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def streams(self):
        return [stream for connection in self.connections for stream in list(connection.streams.values())]

    def stream(self, path):
        """The stream of the one request for `path`, which has come."""
        found = [stream for stream in self.streams if stream.get(":path") == path]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} requests for {path}")
        return found[0]

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._begin, args=(sock,), daemon=True).start()

    def _begin(self, sock):
        sock.settimeout(20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            secure = self.context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        except OSError:
            sock.close()
            return
        end = http2.Endpoint(secure, is_client=False, on_request=None if self.hostile else self.handler,
                             listed_in=self.connections, **self.end)
        if self.hostile:
            self.hostile(end)

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for end in self.connections:
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def standard(stream):
    """The server that most tests speak with: the path says how to answer."""
    path, _, query = stream.get(":path").partition("?")
    if path == "/bytes":
        stream.reply(body=pattern(int(query)))
    elif path == "/echo":
        # as it comes: the answer's first byte leaves before the request's last
        stream.send_head([(":status", "200"), ("content-type", stream.get("content-type", "application/octet-stream"))])
        done, is_last = 0, False
        while not is_last:
            # longer than a debug build takes for all the streams of a test together
            if not stream.wait(lambda: len(stream.body) > done or stream.is_ended, PATIENCE):
                raise http2.Gone(f"no more of the body after {done} bytes: {stream.state()}")
            with stream.end.changed:
                piece = bytes(stream.body[done:])
                is_last = stream.is_ended
            done += len(piece)
            stream.send(piece, end=is_last, wait=PATIENCE)
    elif path == "/trailers":
        stream.whole(20)
        stream.send_head([(":status", "200"), ("trailer", "x-digest")])
        stream.send(b"hello")
        stream.send_trailers([("x-digest", "5d41402a"), ("x-seen", ",".join(f"{name}={value}" for name, value in stream.trailers))])
    elif path == "/hints":
        stream.send_head([(":status", "103"), ("link", "</a.css>; rel=preload")])
        stream.send_head([(":status", "103"), ("link", "</b.css>; rel=preload")])
        stream.reply(body=b"after two hints")
    elif path == "/head":
        stream.send_head([(":status", "200"), ("content-length", "12345")], end=True)
    elif path in ("/204", "/304"):
        stream.send_head([(":status", path[1:]), ("etag", '"t"')], end=True)
    elif path == "/reset":
        stream.send_head([(":status", "200"), ("content-length", "1000")])
        stream.send(b"short")
        stream.cancel(int(query or http2.INTERNAL_ERROR))
    elif path == "/endless":
        stream.send_head([(":status", "200")])
        piece = bytes(16384)
        while True:
            stream.send(piece, wait=60)
    elif path == "/open":
        stream.send_head([(":status", "200")])
        stream.send(b"begun")
        stream.wait(lambda: False, 20)
    else:
        stream.whole(20)
        stream.reply(body=f"{stream.get(':method')} {stream.get(':path')}".encode(), fields=[("content-type", "text/plain")])
