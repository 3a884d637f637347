"""Exchanges that go wrong: an error never becomes a success, no answer is given to another request, nothing is replayed."""

import ssl
import threading
import time

from harness import Proxy, eventually
from origins import pattern
from test_strictness import NAME, OTHER, StrictTest
from wire import Truncated

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Responses(StrictTest):
    """What a server sends."""

    def served(self, data, target="/", method="GET", then=None):
        """An origin that answers every request with some bytes; a tunnel to it, and its host."""
        def handler(exchange):
            exchange.body()
            exchange.send(data(exchange) if callable(data) else data)
            return then

        server = self.origin(handler, leaf=self.leaf)
        return server, self.tunnel(server), f"{NAME}:{server.port}"

    def test_heads(self):
        """A response head that breaks the grammar is 502."""
        for name, head in {
            "space before the colon": OK + b"Content-Length : 0\r\n\r\n", "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "bare carriage return": OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
            "nul": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
            "no colon": OK + b"X\r\nContent-Length: 0\r\n\r\n", "version": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
            "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
            "length list": OK + b"Content-Length: 3, 3\r\n\r\nabc", "signed length": OK + b"Content-Length: +3\r\n\r\nabc",
            "coding and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "coding in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "switching unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        }.items():
            with self.subTest(name):
                _, wire, host = self.served(head)
                self.assertEqual(wire.request("GET", "/", host).status, 502)

    def test_folded(self):
        """A folded line of a response is refused or unfolded, never passed on as it was (RFC 9112 §5.2)."""
        _, wire, host = self.served(OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n")
        answer = wire.request("GET", "/", host)
        self.assertIn(answer.status, (200, 502))
        self.assertNotIn(b"\r\n ", answer.raw_head)

    def test_left_over_bytes(self):
        """Bytes after the declared end of a response never answer the next request, whatever the response."""
        forged = OK + b"Content-Length: 6\r\n\r\nforged"
        for name, method, first in (
                ("length", "GET", OK + b"Content-Length: 2\r\n\r\nok"), ("chunks", "GET", CHUNKED + b"0\r\n\r\n"),
                ("HEAD", "HEAD", OK + b"Content-Length: 44\r\n\r\n"), ("204", "GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
                ("204 with a length", "GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n"),
                ("304", "GET", b"HTTP/1.1 304 Not Modified\r\n\r\n")):
            with self.subTest(name):
                server, wire, host = self.served(lambda exchange: (first + forged) if exchange.request.target == "/one" else
                                                 OK + b"Content-Length: 4\r\n\r\ntrue")
                wire.send(f"{method} /one HTTP/1.1\r\nHost: {host}\r\n\r\nGET /two HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                try:
                    self.assertIn(wire.response(method).status, (200, 204, 304, 502))
                    self.assertNotEqual(wire.response().body, b"forged")
                except (OSError, Truncated, ValueError):
                    pass
                self.assertNotIn(b"forged", wire.log)

    def test_bytes_between_responses(self):
        """Bytes that a server sends while no request is open end its connection and answer nothing."""
        sent = threading.Event()

        def handler(exchange):
            exchange.reply(body=b"first")
            exchange.send(OK + b"Content-Length: 6\r\n\r\nforged")
            sent.set()

        server = self.origin(handler, leaf=self.leaf)
        wire, host = self.tunnel(server), f"{NAME}:{server.port}"
        self.assertEqual(wire.request("GET", "/one", host).body, b"first")
        self.assertTrue(sent.wait(8))
        try:
            self.assertNotEqual(wire.request("GET", "/two", host).body, b"forged")
        except (OSError, Truncated):
            pass
        self.assertNotIn(b"forged", wire.log)

    def test_short_bodies(self):
        """A body that ends before its declared end breaks the client's, however it ends."""
        for name, data in {"length": OK + b"Content-Length: 100\r\n\r\nshort",
                           "no last chunk": CHUNKED + b"5\r\nshort\r\n",
                           "half a chunk": CHUNKED + b"50\r\nshort",
                           "half a trailer": CHUNKED + b"5\r\nshort\r\n0\r\nX: y"}.items():
            for polite in (True, False):
                with self.subTest(name, polite=polite):
                    def handler(exchange):
                        exchange.body()
                        exchange.send(data)
                        if polite:
                            exchange.wire.sock.unwrap()
                        return False

                    server = self.origin(handler, leaf=self.leaf)
                    wire = self.tunnel(server)
                    with self.assertRaises((Truncated, OSError)):
                        wire.request("GET", "/short", f"{NAME}:{server.port}")

    def test_cut_end_of_connection(self):
        """A body that goes to the end of the connection and is cut without close_notify is a cut for the client too."""
        server, wire, host = self.served(OK + b"\r\nmaybe half", then=False)
        with self.assertRaises((Truncated, OSError)):
            wire.request("GET", "/to-a-cut", host)
            raise AssertionError("a cut body that looks whole")

    def test_early_response(self):
        """An answer that comes before the upload is over reaches the client, and the half upload is never completed."""
        def handler(exchange):
            exchange.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            exchange.wire.sock.settimeout(5)
            exchange.body()

        server = self.origin(handler, leaf=self.leaf)
        wire = self.tunnel(server)
        wire.send(f"POST /early HTTP/1.1\r\nHost: {NAME}:{server.port}\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 1000)
        answer = wire.response()
        self.assertEqual((answer.status, answer.body), (413, b"big"))
        wire.close()
        self.assertTrue(eventually(lambda: server.connections[0].error), "the server took half an upload for a whole")

    def test_interim_responses(self):
        """Interim responses pass in front of the final one, 103 with its fields."""
        server, wire, host = self.served(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                                         b"HTTP/1.1 102 Processing\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok")
        answer = wire.request("GET", "/hints", host)
        self.assertEqual((answer.interim, answer.body), ([103, 102], b"ok"))
        self.assertIn(b"Link: </a.css>; rel=preload", wire.log)


class Uploads(StrictTest):
    """An aborted upload never becomes a complete request."""

    def leave(self, wire, end):
        """Closes as clients do: with TLS's farewell, without it, or by a reset."""
        if end == "RST":
            return wire.abort()
        if end != "FIN":
            wire.sock.settimeout(0)
            try:
                wire.sock.unwrap()
            except OSError:
                pass  # the peer's farewell is not waited for
        wire.close()

    def test_cut_uploads(self):
        """An upload that its client ends early, politely or not, is cut for the server too."""
        for name, head in {"length": b"Content-Length: 5000", "chunks": b"Transfer-Encoding: chunked"}.items():
            for end in ("close_notify and FIN", "FIN", "RST"):
                with self.subTest(name, end=end):
                    server = self.origin(lambda exchange: exchange.reply(body=exchange.body()), leaf=self.leaf)
                    wire = self.tunnel(server)
                    wire.send(f"POST /cut HTTP/1.1\r\nHost: {NAME}:{server.port}\r\n".encode() + head + b"\r\n\r\n"
                              + (b"x" * 100 if name == "length" else b"64\r\n" + b"x" * 100 + b"\r\n"))
                    self.assertTrue(eventually(lambda: b"xxx" in server.received))
                    self.leave(wire, end)
                    self.assertTrue(eventually(lambda: server.connections[0].error, 3), "the server is not told")
                    self.assertIsInstance(server.connections[0].error, (Truncated, ssl.SSLError, ConnectionError))

    def test_abort_while_waiting(self):
        """A client that goes away while it waits for its answer is seen to go by the server within a second or so."""
        for end in ("close_notify and FIN", "FIN", "RST"):
            with self.subTest(end):
                gone = []

                def handler(exchange):
                    exchange.wire.to_end()
                    gone.append(time.monotonic())
                    return False

                server = self.origin(handler, leaf=self.leaf)
                wire = self.tunnel(server)
                wire.send(f"GET /waiting HTTP/1.1\r\nHost: {NAME}:{server.port}\r\n\r\n".encode())
                self.assertTrue(eventually(lambda: server.requests))
                left = time.monotonic()
                self.leave(wire, end)
                self.assertTrue(eventually(lambda: gone, 5), "the server still works for nobody")
                self.assertLess(gone[0] - left, 2)

    def test_half_close(self):
        """A client that ends its own side behind a whole request still gets the answer."""
        go = threading.Event()

        def handler(exchange):
            go.wait(5)
            exchange.reply(body=pattern(100_000))

        server = self.origin(handler, leaf=self.leaf)
        wire = self.tunnel(server)
        wire.send(f"GET /half-closed HTTP/1.1\r\nHost: {NAME}:{server.port}\r\n\r\n".encode())
        self.assertTrue(eventually(lambda: server.requests))
        wire.sock.settimeout(0)
        with self.assertRaises(ssl.SSLWantReadError):
            wire.sock.unwrap()  # sends close_notify; the peer's is still to come
        wire.sock.settimeout(8)
        go.set()
        self.assertEqual(wire.response().body, pattern(100_000))

    def test_nothing_is_replayed(self):
        """A server that closes instead of answering gets the request once: on a new connection, and on one that was used before."""
        for first in (False, True):
            for method, body in (("GET", None), ("POST", b"pay")):
                with self.subTest(used=first, method=method):
                    def handler(exchange):
                        exchange.body()
                        if exchange.request.target == "/before":
                            return exchange.reply()
                        return False

                    server = self.origin(handler, leaf=self.leaf)
                    wire, host = self.tunnel(server), f"{NAME}:{server.port}"
                    if first:
                        self.assertEqual(wire.request("GET", "/before", host).status, 200)
                    try:
                        self.assertEqual(wire.request(method, "/once", host, body).status, 502)
                    except (OSError, Truncated):
                        pass  # an end without an answer is as true
                    self.shared.flow_of(f"{server.port}/once")
                    self.assertEqual([request.target for request in server.requests].count("/once"), 1)
                    self.assertEqual(server.accepted, 1)

    def test_pipelining(self):
        """Pipelined requests get their answers in order and one by one, also when the first is slow and bodies lie between."""
        def handler(exchange):
            body = exchange.body()
            if exchange.request.target == "/slow":
                slow.wait(5)
            exchange.reply(body=exchange.request.target.encode() + b" " + body)

        slow = threading.Event()
        server = self.origin(handler, leaf=self.leaf)
        wire, host = self.tunnel(server), f"{NAME}:{server.port}"
        wire.send(f"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\nPOST /upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\nbody"
                  f"POST /chunks HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                  f"GET /last HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        threading.Timer(0.3, slow.set).start()
        self.assertEqual([wire.response().body for _ in range(4)], [b"/slow ", b"/upload body", b"/chunks abc", b"/last "])
        self.assertEqual(server.accepted, 1)

    def test_pipelined_behind_a_refused_one(self):
        """What is pipelined behind a refused request is not served."""
        self.assertEqual(self.answers(f"GET /refused HTTP/1.1\r\nHost: {OTHER}\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n"
                                      f"GET /behind HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode()), [400])
        self.assertNotIn(b"/behind", self.server.received)


class TimeOuts(StrictTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}, config={
            "timeouts": {"header": "1s", "response": "1s", "idle": "2s"}}))

    def test_stalled_head(self):
        """A request head that stalls in a tunnel is cut when timeouts.header is over; nothing of it reached the server."""
        wire = self.tunnel()
        wire.send(b"GET /stalled HTTP/1.1\r\nHo")
        began = time.monotonic()
        wire.to_end()
        self.assertLess(time.monotonic() - began, 4)
        self.assertNotIn(b"/stalled", self.server.received)

    def test_idle_connection(self):
        """A connection between requests is closed when timeouts.idle is over, and the server's with it."""
        server = self.tls_origin(NAME)
        wire = self.tunnel(server)
        wire.request("GET", "/before-idling", f"{NAME}:{server.port}")
        began = time.monotonic()
        self.assertTrue(wire.is_at_end())
        self.assertGreater(time.monotonic() - began, 1)
        self.assertTrue(eventually(lambda: not server.open, 5))

    def test_no_response(self):
        """A server that does not begin to answer within timeouts.response is 504, and its connection is closed."""
        gone = threading.Event()

        def handler(exchange):
            exchange.wire.to_end()
            gone.set()
            return False

        server = self.origin(handler, leaf=self.leaf)
        answer = self.tunnel(server).request("GET", "/slow-server", f"{NAME}:{server.port}")
        self.assertEqual(answer.status, 504)
        self.assertIn("http_response_timeout", answer.get("Proxy-Status", ""))
        self.assertTrue(gone.wait(5))

    def test_silent_tunnel(self):
        """A tunnel in which the device says nothing, not even a hello, is closed."""
        answer, wire = self.shared.connect(self.host)
        with wire:
            self.assertEqual(answer.status, 200)
            wire.sock.settimeout(18)
            try:
                self.assertEqual(wire.to_end(), b"")
            except ConnectionError:
                pass

    def test_slow_but_steady(self):
        """An upload that comes slowly but without a pause beyond timeouts.idle is not cut."""
        server = self.tls_origin(NAME)
        wire = self.tunnel(server)
        wire.send(f"POST /echo HTTP/1.1\r\nHost: {NAME}:{server.port}\r\nContent-Length: 5\r\n\r\n".encode())
        pause = threading.Event()
        for byte in b"slow!":
            pause.wait(0.6)
            wire.send(bytes([byte]))
        self.assertEqual(wire.response().body, b"slow!")
