"""TLS-14, TLS-16 to TLS-25: what the proxy offers to servers, and which of their choices it takes."""

import ssl
import subprocess

import client_hello
import forge
import hello
from harness import eventually
from tls_servers import Scripted, TLSOrigin, alert_from, record, server_hello, short_parameters
from tls_test import GOOD, HANDSHAKE_FAILED, TLS12, TLS13, VerificationTest

GROUPS = {hello.X25519, hello.P256, hello.P384, hello.P521, hello.HYBRID}
REFUSALS = (*HANDSHAKE_FAILED, "protocol_version", "insufficient_security", "illegal_parameter")


def has_hybrid():
    """Whether the libssl here knows the hybrid group."""
    listed = subprocess.run(["openssl", "list", "-kem-algorithms"], capture_output=True).stdout
    return b"X25519MLKEM768" in listed


class Offers(VerificationTest):
    """The hello that a server gets."""

    def offer(self, host=GOOD, alpn=None, sni=None, context=None, server=None):
        """What the server at `host` is offered by a tunnel of a device's, which then fails."""
        server = server or self.enterContext(Scripted())
        before = len(server.hellos)
        answer, wire = self.shared.connect(f"{host}:{server.port}")
        self.assertEqual(answer.status, 200)
        context = context or self.shared.context(alpn=alpn)
        context.check_hostname = False
        with wire, self.assertRaises((ssl.SSLError, OSError)):
            context.wrap_socket(wire.sock, server_hostname=sni or (host if host == GOOD else None))
        self.assertTrue(eventually(lambda: len(server.hellos) > before))
        return client_hello.Offer(server.hellos[-1])

    def test_versions(self):
        """TLS-16: TLS 1.3 and 1.2 are offered and nothing older, whatever the device knows."""
        self.assertEqual(self.offer().versions, [hello.TLS13, hello.TLS12])
        self.assertEqual(set(self.offer(context=self.shared.context(TLS12)).versions) - {hello.TLS13}, {hello.TLS12})

    def test_suites(self):
        """TLS-17, 18, 19: Every suite offered is AEAD with ephemeral ECDH: no NULL, DES, RC4, CBC, DHE, RSA key exchange."""
        offer = self.offer()
        suites = set(offer.suites) - {hello.RENEGOTIATION_SCSV}
        self.assertTrue(suites & set(hello.SUITES_13) and suites & set(hello.SUITES_12))
        self.assertLessEqual(suites, {*hello.SUITES_12, *hello.SUITES_13})

    def test_hygiene(self):
        """TLS-20: No compression, heartbeat, SHA-1, MD5 or weak group; secure renegotiation and extended master secret."""
        offer = self.offer()
        self.assertEqual(offer.compressions, [0])
        self.assertNotIn(hello.HEARTBEAT, offer)
        self.assertTrue(hello.RENEGOTIATION in offer or hello.RENEGOTIATION_SCSV in offer.suites)
        self.assertIn(hello.EMS, offer)
        self.assertTrue(offer.signatures)
        for signature in offer.signatures:
            # the high byte is the digest in TLS 1.2: 1 is MD5, 2 SHA-1, 3 SHA-224; 8 has its own numbers
            self.assertGreaterEqual(signature >> 8, 4, hex(signature))
            self.assertNotEqual((signature >> 8, signature & 0xff), (4, 2), "DSA")
        self.assertTrue(offer.groups)
        self.assertLessEqual({group for group in offer.groups if not hello.is_grease(group)}, GROUPS)

    def test_hybrid(self):
        """TLS-24: Where libssl has the post-quantum hybrid group it is offered first, with a share; X25519 always."""
        offer = self.offer()
        self.assertIn(hello.X25519, offer.groups)
        self.assertEqual(hello.HYBRID in offer.groups, has_hybrid())
        self.assertEqual(offer.groups[0], hello.HYBRID if has_hybrid() else hello.X25519)
        self.assertIn(offer.groups[0], offer.shares)

    def test_server_name(self):
        """TLS-21: The server name is the host; for an address there is none."""
        self.assertEqual(self.offer().name, GOOD)
        self.assertEqual(self.offer(sni=GOOD.upper()).name, GOOD)
        self.assertNotIn(hello.SERVER_NAME, self.offer("127.0.0.1"))

    def test_protocols(self):
        """TLS-22: The device's ALPN is offered, in its order, and no more; none if it offers none."""
        for alpn in (["h2", "http/1.1"], ["http/1.1"], ["h2"], ["http/1.1", "h2"], ["mqtt", "x-own/2"]):
            with self.subTest(alpn):
                self.assertEqual(self.offer(alpn=alpn).protocols, alpn)
        self.assertNotIn(hello.ALPN, self.offer())
        # what means HTTP and would be read by nobody is left out
        self.assertEqual(self.offer(alpn=["h2-14", "spdy/3.1", "h2", "http/1.1"]).protocols, ["h2", "http/1.1"])

    def test_evidence_is_asked_for(self):
        """TLS-14: The hello asks for a staple and for certificate timestamps."""
        offer = self.offer()
        self.assertEqual(offer.extensions.get(client_hello.STATUS_REQUEST), b"\1\0\0\0\0")
        self.assertEqual(offer.extensions.get(client_hello.TIMESTAMPS), b"")

    def test_fingerprint(self):
        """TLS-63: The JA4 of the hello is recorded as the server sees it, and a session's ticket is in no first hello."""
        server = self.enterContext(Scripted(lambda sock, raw: sock.sendall(record(21, b"\2\x28"))))
        offer = self.offer(alpn=["h2", "http/1.1"], server=server)
        self.assertNotIn(client_hello.PRE_SHARED_KEY, offer)
        self.assertEqual(self.handshake_at(server.port).get("ja4"), offer.ja4)
        self.assertTrue(offer.ja4.startswith("t13d"))

    def test_attribution(self):
        """TLS-25: Every tunnel has a connection of its own to the server, also after one that went well and stays open."""
        server = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, server.port)
        first = self.enterContext(self.shared.tunnel(GOOD, server.port))
        for path in ("/one", "/two"):
            self.assertEqual(first.request("GET", path, f"{GOOD}:{server.port}").status, 200)
        self.answered(GOOD, server.port, path="/three")
        self.assertEqual(server.accepted, 3)
        self.assertEqual([[request.target for request in connection.requests] for connection in server.connections],
                         [["/through"], ["/one", "/two"], ["/three"]])


class Choices(VerificationTest):
    """What servers choose."""

    def assertRefused(self, port):
        """The device's handshake ends with an alert; `assertRecorded` then looks at the record of all."""
        self.assertIn(self.refused(GOOD, port), REFUSALS)
        self.ports.append(port)

    def setUp(self):
        self.ports = []

    def assertRecorded(self, *words):
        """The record of each refused server says that it was the server's doing, and one of the words."""
        for port, error in self.errors_at(self.ports).items():
            if port in self.ports:
                self.assertEqual((error["code"], error["origin"]), ("upstream-handshake", "upstream"))
                self.assertTrue(any(word in error["detail"].lower() for word in words), error)

    def test_weak_servers(self):
        """TLS-16 to 19: A server of TLS 1.0 or 1.1, CBC, RSA key exchange, DHE, NULL or anonymous suites alone is refused."""
        rsa = forge.server(GOOD, self.defects.rsa, key="rsa2048")
        tls10, tls11 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        good = self.enterContext(TLSOrigin(rsa, versions=(TLS12, TLS12), ciphers="ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"))
        self.answered(GOOD, good.port)
        for label, versions, ciphers in (
                ("TLS 1.0", (tls10, tls10), "DEFAULT"), ("TLS 1.1", (tls11, tls11), "DEFAULT"), ("both", (tls10, tls11), "DEFAULT"),
                ("CBC", (TLS12, TLS12), "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA"),
                ("RSA key exchange", (TLS12, TLS12), "AES128-GCM-SHA256:AES128-SHA"),
                ("NULL", (TLS12, TLS12), "ECDHE-RSA-NULL-SHA:NULL-SHA256"),
                ("anonymous", (TLS12, TLS12), "ADH-AES128-GCM-SHA256:AECDH-AES128-SHA"),
                ("Camellia", (TLS12, TLS12), "ECDHE-RSA-CAMELLIA128-SHA256"), ("CCM", (TLS12, TLS12), "DHE-RSA-AES128-CCM")):
            with self.subTest(label):
                server = self.enterContext(TLSOrigin(rsa, versions=versions, ciphers=f"{ciphers}:@SECLEVEL=0"))
                self.assertRefused(server.port)
                self.assertEqual(server.received, b"")
        self.assertRecorded("version", "handshake_failure", "cipher", "protocol")

    def test_finite_field(self):
        """TLS-18: A server that has only DHE is refused, with 1024 bits and with 2048."""
        rsa = forge.server(GOOD, self.defects.rsa, key="rsa2048")
        for bits in (1024, 2048):
            with self.subTest(bits):
                server = self.enterContext(TLSOrigin(rsa, versions=(TLS12, TLS12), ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"))
                file = self.shared.write(f"dh{bits}.pem", short_parameters(bits))
                server.context.load_dh_params(str(file))
                self.assertRefused(server.port)

    def test_small_curves(self):
        """TLS-20: A server that has only a small or odd curve is refused."""
        for curve in ("secp224r1", "prime192v1", "secp256k1"):
            with self.subTest(curve):
                server = self.enterContext(TLSOrigin(self.leaf(), versions=(TLS12, TLS12)))
                server.context.set_ecdh_curve(curve)
                self.assertRefused(server.port)

    def test_choices_that_were_not_offered(self):
        """TLS-16, 17, 20: A ServerHello with RC4, 3DES, EXPORT, NULL, SSL 3, compression or no RFC 5746 is refused."""
        secure = b"\xff\x01\x00\x01\x00"
        for label, choice in {
            "RC4": {"suite": 0x0005}, "3DES": {"suite": 0x000a}, "EXPORT": {"suite": 0x0003}, "NULL": {"suite": 0x0000},
            "DES": {"suite": 0x0009}, "anonymous": {"suite": 0x0034}, "ECDHE-RC4": {"suite": 0xc011},
            "SSL 3": {"suite": 0xc02f, "version": 0x0300}, "TLS 1.0": {"suite": 0xc013, "version": 0x0301},
            "TLS 1.1": {"suite": 0xc013, "version": 0x0302}, "deflate": {"suite": 0xc02f, "compression": 1},
            "no secure renegotiation": {"suite": 0xc02f, "extensions": b""},
            "a protocol never offered": {"suite": 0xc02f, "extensions": secure + b"\x00\x10\x00\x05\x00\x03\x02h2"},
        }.items():
            with self.subTest(label):
                def script(sock, raw):
                    sock.sendall(server_hello(raw, **choice) + record(22, b"\x0e\0\0\0"))
                    return alert_from(sock)

                server = self.enterContext(Scripted(script))
                self.assertRefused(server.port)
                alert = eventually(lambda: server.results)[0]
                # a ServerHelloDone in place of a certificate would be 10; an answer to the choice comes first
                self.assertIn(alert, (40, 47, 70, 110), f"alert {alert}")

    def test_control_of_choices(self):
        """TLS-17: The same ServerHello with a suite that was offered is taken: what is missed is the certificate behind it."""
        def script(sock, raw):
            sock.sendall(server_hello(raw, suite=0xc02f) + record(22, b"\x0e\0\0\0"))
            return alert_from(sock)

        server = self.enterContext(Scripted(script))
        self.refused(GOOD, server.port)
        self.assertEqual(eventually(lambda: server.results), [10])  # unexpected_message

    def test_no_newer_version(self):
        """TLS-23: A device is shown no newer version than the server's; the one they share otherwise."""
        for version in (TLS12, TLS13):
            server = self.enterContext(TLSOrigin(self.leaf(), versions=(version, version)))
            with self.subTest(version.name), self.shared.tunnel(GOOD, server.port) as wire:
                self.assertEqual(wire.sock.version().replace("v1.", "v1_"), version.name)
                self.assertEqual(wire.request("GET", "/", f"{GOOD}:{server.port}").status, 200)
                self.assertEqual(self.handshake_at(server.port)["version"].replace("v1.", "v1_"), version.name)
