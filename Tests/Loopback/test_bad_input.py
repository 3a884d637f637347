"""What is malformed, hostile or unreachable gets a clear answer, and nothing gets past it."""

import os
import socket
import ssl
import time

import pki
from harness import LoopbackTest, Proxy
from origins import Origin
from wire import Truncated

NAME = "origin.example"


class BadInput(LoopbackTest):
    weight = 4

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(
            hosts={NAME: "127.0.0.1", "loopback6.example": "::1", "front.example": "127.0.0.1"},
            config={"timeouts": {"handshake": "1s", "connect": "1s", "dns": "3s", "header": "2s"}}))
        cls.server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME, "front.example")))
        cls.plain = cls.enterClassContext(Origin())

    def setUp(self):
        self.before = self.shared.process.pid

    def tearDown(self):
        self.assertIsNone(self.shared.process.poll(), "the proxy died of it")

    def raw(self, data):
        """The answer to some bytes on the proxy port; None if there is none but the end."""
        with self.shared.dial() as wire:
            wire.send(data)
            try:
                return wire.response("CONNECT")
            except (Truncated, ConnectionError):
                return None

    def assertAnswered(self, data, status):
        answer = self.raw(data)
        self.assertIsNotNone(answer, f"no answer to {data[:80]!r}")
        self.assertEqual(answer.status, status, f"{data[:80]!r}: {answer.start}")
        return answer

    # Heads.

    def test_malformed_heads(self):
        """A head that breaks the grammar is answered 400, never repaired."""
        host = f"{NAME}:{self.plain.port}"
        for name, head in {
            "space before the colon": f"GET http://{host}/malformed HTTP/1.1\r\nHost : {host}\r\n\r\n",
            "folded line": f"GET http://{host}/malformed HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\r\n\r\n",
            "no version": f"GET http://{host}/malformed\r\nHost: {host}\r\n\r\n",
            "version 3.1": f"GET http://{host}/malformed HTTP/3.1\r\nHost: {host}\r\n\r\n",
            "NUL in a value": f"GET http://{host}/malformed HTTP/1.1\r\nHost: {host}\r\nX: a\0b\r\n\r\n",
            "two Hosts": f"GET http://{host}/malformed HTTP/1.1\r\nHost: {host}\r\nHost: other.example\r\n\r\n",
        }.items():
            with self.subTest(name):
                self.assertAnswered(head.encode(), 400)
        self.assertNotIn(b"/malformed", self.plain.received)

    def test_large_head(self):
        """A head beyond 64 KiB is answered 431, for CONNECT and inside the tunnel."""
        filler = "".join(f"X-{number}: {'y' * 1000}\r\n" for number in range(70))
        self.assertAnswered(f"CONNECT {NAME}:443 HTTP/1.1\r\n{filler}\r\n".encode(), 431)
        with self.shared.tunnel(NAME, self.server.port) as wire:
            wire.send(f"GET /large-head HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\n{filler}\r\n".encode())
            self.assertEqual(wire.response().status, 431)
        self.assertNotIn(b"large-head", self.server.received)

    def test_ambiguous_framing(self):
        """Content-Length with Transfer-Encoding, and other double meanings, are 400 and reach no server."""
        for name, fields in {
            "both": "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "two lengths": "Content-Length: 4\r\nContent-Length: 5",
            "list of lengths": "Content-Length: 4, 5",
            "signed": "Content-Length: +4",
            "hexadecimal": "Content-Length: 0x4",
            "chunked twice": "Transfer-Encoding: chunked, chunked",
            "chunked not last": "Transfer-Encoding: chunked, gzip",
            "unknown coding": "Transfer-Encoding: xchunked",
        }.items():
            with self.subTest(name), self.shared.tunnel(NAME, self.server.port) as wire:
                wire.send(f"POST /ambiguous HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\n{fields}\r\n\r\n"
                          "0\r\n\r\n".encode())
                self.assertIn(wire.response().status, (400, 501))
        self.assertNotIn(b"/ambiguous", self.server.received)

    def test_garbage(self):
        """Bytes that are no protocol end the connection, with 400 or without a word."""
        for data in (b"\x00" * 100, b"\xff\xfe\xfd" * 50, b"\r\n\r\n\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
                     os.urandom(4096) + b"\r\n\r\n"):
            with self.subTest(data[:20]):
                answer = self.raw(data)
                if answer is not None:
                    self.assertEqual(answer.status, 400)

    def test_tls_to_the_plain_port(self):
        """A device that speaks TLS to the proxy port itself is let go, not left waiting."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with self.shared.dial(wait=8) as wire, self.assertRaises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(wire.sock, server_hostname=NAME)

    # Hellos.

    def test_stalled_hello(self):
        """A hello that stalls is cut when timeouts.handshake is over."""
        answer, wire = self.shared.connect(f"{NAME}:{self.server.port}")
        with wire:
            self.assertEqual(answer.status, 200)
            began = time.monotonic()
            wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            wire.to_end()
            self.assertLess(time.monotonic() - began, 5)

    def test_oversized_hello(self):
        """A hello that never ends is cut when it is too large."""
        answer, wire = self.shared.connect(f"{NAME}:{self.server.port}")
        with wire:
            self.assertEqual(answer.status, 200)
            # a handshake message of 16 MiB in records of 16 KiB
            record = b"\x16\x03\x01\x40\x00"
            try:
                wire.send(record + b"\x01\xff\xff\xff" + bytes(16380))
                for _ in range(64):
                    wire.send(record + bytes(16384))
                ended = wire.is_at_end()
            except ConnectionError:
                ended = True
            self.assertTrue(ended)

    def test_garbage_in_the_tunnel(self):
        """Bytes in a tunnel that are not what they claim to be leave the proxy standing."""
        for data in (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x16\x03\x01\x00\x00" * 40,
                     b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", b"\x16\xff\xff\xff\xff" + bytes(70000)):
            with self.subTest(data[:12]):
                answer, wire = self.shared.connect(f"{NAME}:{self.server.port}")
                with wire:
                    self.assertEqual(answer.status, 200)
                    try:
                        wire.send(data)
                        wire.to_end()
                    except ConnectionError:
                        pass

    # Destinations.

    def test_unreachable_port(self):
        """A refused connection is 502 to the CONNECT, with the cause in the page and in Proxy-Status."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            answer, wire = self.shared.connect(f"{NAME}:{unused.getsockname()[1]}")
        wire.close()
        self.assertEqual(answer.status, 502)
        self.assertIn("connection_refused", answer.get("Proxy-Status", ""))
        self.assertIn(b"refused", answer.body.lower())

    def test_unknown_name(self):
        """A name that does not resolve is 502 to the CONNECT, and names the failure."""
        answer, wire = self.shared.connect("no-such-name.invalid:443")
        wire.close()
        self.assertIn(answer.status, (502, 504))
        self.assertIn("dns", answer.get("Proxy-Status", ""))
        self.assertIn(b"no-such-name.invalid", answer.body)

    def test_connect_time_out(self):
        """A server that does not accept is 504 to the CONNECT when timeouts.connect is over."""
        listener = self.enterContext(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # fill the backlog: Linux then leaves further SYNs without an answer
        for _ in range(4):
            filler = self.enterContext(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        answer, wire = self.shared.connect(f"{NAME}:{listener.getsockname()[1]}")
        wire.close()
        self.assertEqual(answer.status, 504)
        self.assertIn("connection_timeout", answer.get("Proxy-Status", ""))

    def test_proxy_refuses_itself(self):
        """TLS-56: The proxy does not dial itself, by CONNECT or absolute-form."""
        answer, wire = self.shared.connect(f"{NAME}:{self.shared.port}")
        wire.close()
        self.assertEqual(answer.status, 403)
        self.assertIn("proxy_loop_detected", answer.get("Proxy-Status", ""))
        host = f"{NAME}:{self.shared.port}"
        self.assertAnswered(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), 403)

    def test_proxy_on_all_addresses_refuses_itself(self):
        """TLS-56: A proxy that listens on 0.0.0.0 knows itself at every local address."""
        proxy = self.proxy(hosts={"me.example": "127.0.0.77"}, config={
            "listen": {"proxy": ["0.0.0.0:0"]}, "upstream": {"allow_special_use": ["loopback"]}})
        for host in ("127.0.0.1", "127.0.0.77", "me.example", "[::ffff:127.0.0.1]", "2130706433", "localhost", "0.0.0.0"):
            with self.subTest(host):
                answer, wire = proxy.connect(f"{host}:{proxy.port}")
                wire.close()
                self.assertEqual(answer.status, 403)

    # Names that disagree.

    def test_other_host(self):
        """TLS-53: A Host other than the tunnel's is 421 and does not reach the server."""
        with self.shared.tunnel(NAME, self.server.port) as wire:
            self.assertEqual(wire.request("GET", "/fronted", "other.example").status, 421)
        self.assertNotIn(b"/fronted", self.server.received)

    def test_absolute_form_with_other_host(self):
        """In absolute-form the target's host wins over the Host field, or the request is refused."""
        host = f"{NAME}:{self.plain.port}"
        answer = self.raw(f"GET http://{host}/abs HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n".encode())
        self.assertIn(answer.status, (200, 400, 421))
        for request in self.plain.requests:
            self.assertNotEqual(request.get("Host"), "other.example")


    def test_no_host(self):
        """HTTP/1.1 without Host is 400; a request for another host inside the tunnel, in absolute-form, is refused."""
        with self.shared.tunnel(NAME, self.server.port) as wire:
            wire.send(b"GET /hostless HTTP/1.1\r\n\r\n")
            self.assertEqual(wire.response().status, 400)
        with self.shared.tunnel(NAME, self.server.port) as wire:
            wire.send(f"GET https://other.example/inner HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\n\r\n".encode())
            self.assertIn(wire.response().status, (400, 421))
        self.assertNotIn(b"/hostless", self.server.received)
        self.assertNotIn(b"/inner", self.server.received)

    def test_too_many_fields(self):
        """A head with more than 128 fields is 431."""
        fields = "".join(f"X-{number}: 1\r\n" for number in range(200))
        self.assertAnswered(f"CONNECT {NAME}:{self.server.port} HTTP/1.1\r\n{fields}\r\n".encode(), 431)

    def test_stalled_head(self):
        """A request head that stalls is cut when timeouts.header is over."""
        with self.shared.dial() as wire:
            wire.send(b"GET http://origin.example/ HTTP/1.1\r\nHo")
            began = time.monotonic()
            wire.to_end()
            self.assertLess(time.monotonic() - began, 6)

    def test_spellings_of_a_name(self):
        """A name in capitals, with the root's dot, or without a server name in the hello, is the same name."""
        for host, sni in ((NAME.upper(), NAME), (NAME, NAME.upper()), (NAME + ".", NAME)):
            with self.subTest(host=host, sni=sni):
                with self.shared.tunnel(host, self.server.port, sni=sni) as wire:
                    self.assertEqual(wire.request("GET", "/spelled", f"{NAME}:{self.server.port}").status, 200)
        answer, wire = self.shared.connect(f"{NAME}:{self.server.port}")
        context = self.shared.context()
        context.check_hostname = False
        with wire:
            wire.sock = context.wrap_socket(wire.sock)
            self.assertIn(("DNS", NAME), wire.sock.getpeercert()["subjectAltName"])
            self.assertEqual(wire.request("GET", "/nameless", f"{NAME}:{self.server.port}").status, 200)


class BadServers(LoopbackTest):
    """What a server does wrong is 502 or a cut, never a repaired answer."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))

    def answer_to(self, data, then=None):
        def handler(exchange):
            exchange.body()
            exchange.send(data)
            return False

        server = self.tls_origin(NAME, handler=handler)
        with self.shared.tunnel(NAME, server.port) as wire:
            return wire.request("GET", "/", f"{NAME}:{server.port}")

    def test_broken_answers(self):
        """A malformed, ambiguous or oversized response head is 502."""
        for name, data in {
            "garbage": b"nonsense\r\n\r\n",
            "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "large head": b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"y" * 70_000 + b"\r\n\r\n",
            "status": b"HTTP/1.1 9999 OK\r\nContent-Length: 0\r\n\r\n",
        }.items():
            with self.subTest(name):
                self.assertEqual(self.answer_to(data).status, 502)

    def test_broken_chunks(self):
        """A response whose chunks are malformed is cut, not completed."""
        for chunk in (b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"ffffffffffffffffff\r\nabc", b"-3\r\nabc\r\n0\r\n\r\n"):
            with self.subTest(chunk):
                try:
                    answer = self.answer_to(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
                    self.assertEqual(answer.status, 502)
                except (OSError, Truncated):
                    pass

    def test_answer_in_advance(self):
        """A second response that nobody asked for is not given to the next request."""
        def handler(exchange):
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
                          b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

        server = self.tls_origin(NAME, handler=handler)
        with self.shared.tunnel(NAME, server.port) as wire:
            self.assertEqual(wire.request("GET", "/one", f"{NAME}:{server.port}").body, b"first")
            try:
                self.assertNotEqual(wire.request("GET", "/two", f"{NAME}:{server.port}").body, b"forged")
            except (OSError, Truncated):
                pass
