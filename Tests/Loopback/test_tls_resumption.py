"""TLS-12, TLS-25: sessions with servers that go on from earlier ones, and what they may not open."""

import socket
import ssl

import client_hello
import forge
import hello
from harness import alert_of, eventually
from tls_servers import TLSOrigin
from tls_test import GOOD, TLS12, TLS13, VerificationTest, trusting
from pki_defects import DOMAIN
from wire import Wire

OTHER = f"permitted.{DOMAIN}"


class Peeking(TLSOrigin):
    """A TLS server that keeps the hellos that it was sent."""

    def __init__(self, *arguments, **more):
        self.hellos, self.was_resumed = [], []
        super().__init__(*arguments, **more)

    def _serve(self, sock):
        sock.settimeout(20)
        data = sock.recv(16384, socket.MSG_PEEK)
        self.hellos.append(client_hello.Offer(hello.message_in(data)))
        super()._serve(sock)


class Upstream(VerificationTest):
    """The proxy as a client."""

    def server(self, version=TLS13, certificate=None, **more):
        def handler(exchange):
            self.resumed.append(exchange.wire.sock.session_reused)
            exchange.reply(body=b"ok")

        self.resumed = []
        return self.enterContext(Peeking(certificate or self.leaf(), handler, versions=(version, version), **more))

    def test_resumes(self):
        """TLS-12: A second connection to the same server goes on from the first one's session, and its record has the whole chain."""
        for version in (TLS12, TLS13):
            server = self.server(version)
            with self.subTest(version.name):
                for _ in range(3):
                    self.answered(GOOD, server.port)
                self.assertEqual(self.resumed, [False, True, True])
                rows = eventually(lambda: (found := self.lines_at(server.port, "handshake", leg="upstream")) and found[2:] and found)
                self.assertEqual([row["resumed"] for row in rows], [False, True, True])
                self.assertEqual({tuple(row["chain"]) for row in rows}, {tuple(rows[0]["chain"])})
                self.assertEqual({row["verification"] for row in rows}, {"ok"})
                self.assertEqual(len(rows[0]["chain"]), 2)

    def test_first_hello(self):
        """TLS-12: The first hello to a server carries no session; later ones are of the same shape but for that."""
        server = self.server()
        for _ in range(2):
            self.answered(GOOD, server.port)
        first, second = server.hellos
        self.assertNotIn(client_hello.PRE_SHARED_KEY, first)
        self.assertIn(client_hello.PRE_SHARED_KEY, second)
        self.assertEqual(set(second.extensions) - set(first.extensions), {client_hello.PRE_SHARED_KEY})
        self.assertNotIn(hello.EARLY_DATA, second)
        self.assertEqual(first.suites, second.suites)

    def test_scope(self):
        """TLS-12: A session is not offered to another host, port, address or ALPN, nor to one that another device made."""
        both = forge.server("both.example", self.defects.middle, names=(GOOD, OTHER))
        server = self.server(certificate=both)
        self.answered(GOOD, server.port)
        for label, host, context in (("another host", OTHER, None), ("ALPN", GOOD, self.shared.context(alpn=["http/1.1"]))):
            with self.subTest(label):
                self.answered(host, server.port, context=context)
                self.assertNotIn(client_hello.PRE_SHARED_KEY, server.hellos[-1])
        self.answered(GOOD, server.port)
        self.assertIn(client_hello.PRE_SHARED_KEY, server.hellos[-1])
        other = self.server(certificate=both)
        self.answered(GOOD, other.port)
        self.assertNotIn(client_hello.PRE_SHARED_KEY, other.hellos[-1])

    def test_devices(self):
        """TLS-25: What one device's connection left behind is not used for another's."""
        hosts = (GOOD,)
        proxy = self.proxy(**trusting(hosts=hosts))
        server = self.server()

        def ask(source):
            sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=10, source_address=(source, 0))
            with Wire(sock) as wire:
                wire.send(f"CONNECT {GOOD}:{server.port} HTTP/1.1\r\nHost: {GOOD}\r\n\r\n".encode())
                self.assertEqual(wire.response("CONNECT").status, 200)
                wire.sock = proxy.context().wrap_socket(wire.sock, server_hostname=GOOD)
                self.assertEqual(wire.request("GET", "/", f"{GOOD}:{server.port}").status, 200)

        for source, is_resumed in (("127.0.0.1", False), ("127.0.0.5", False), ("127.0.0.1", True), ("127.0.0.5", True)):
            ask(source)
            self.assertEqual(self.resumed[-1], is_resumed, source)

    def test_bad_sessions(self):
        """TLS-12: A server that was refused leaves no session to go on from; one that lost its tickets is verified anew."""
        server = self.server(certificate=forge.server(GOOD, self.defects.middle, days=(-9, -1)))
        for _ in range(2):
            self.assertEqual(self.refused(GOOD, server.port), "certificate_expired")
        self.assertNotIn(client_hello.PRE_SHARED_KEY, server.hellos[-1])
        server.show(self.leaf())
        self.answered(GOOD, server.port)
        self.answered(GOOD, server.port)
        server.show(forge.server(GOOD, forge.authority("Unknown root")))
        self.assertEqual(self.refused(GOOD, server.port), "unknown_ca")
        server.show(self.leaf())
        self.answered(GOOD, server.port)


    def test_expires(self):
        """TLS-12: A session does not outlive the certificates that it was made under, though the server would go on."""
        for version in (TLS12, TLS13):
            server = self.server(version, forge.server(GOOD, self.defects.middle, days=(-1, 3 / 86_400)))
            with self.subTest(version.name):
                self.answered(GOOD, server.port)

                def alert():
                    try:
                        self.answered(GOOD, server.port)
                    except ssl.SSLError as error:
                        return alert_of(error)

                self.assertEqual(eventually(alert), "certificate_expired")
