"""TLS-31: servers that show too much."""

import time

import forge
from harness import alert_of, eventually
from pki_defects import DOMAIN
from tls_servers import Scripted, TLSOrigin, record, server_hello
from tls_test import GOOD, VerificationTest

MEGABYTE = 1 << 20


class Large(VerificationTest):
    settings = {"config": {"timeouts": {"handshake": "3s"}}}

    def tearDown(self):
        super().tearDown()
        server = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, server.port)

    def outcome(self, certificate, host=GOOD):
        """`served`, or the alert: one or the other, in bounded time."""
        server = self.enterContext(TLSOrigin(certificate))
        began = time.monotonic()
        try:
            self.answered(host, server.port)
            return "served"
        except OSError as error:
            return alert_of(error)
        finally:
            self.assertLess(time.monotonic() - began, 10)

    def names(self, count):
        return forge.server(GOOD, self.defects.middle, names=(*[f"name-{number}.{DOMAIN}" for number in range(count)], GOOD))

    def test_names(self):
        """TLS-31: A certificate of 1,000 or 2,000 names is served; one of 10,000 is served or refused with an alert."""
        self.assertEqual(self.outcome(self.names(1_000)), "served")
        self.assertEqual(self.outcome(self.names(2_000)), "served")
        self.assertIn(self.outcome(self.names(10_000)), ("served", "handshake_failure", "alert_handshake_failure", "bad_certificate"))

    def test_intermediates(self):
        """TLS-31: A chain of ten intermediates is served; of thirty, served or refused with an alert."""
        issuer = self.defects.root
        for number in range(30):
            issuer = forge.authority(f"Step {number}", issuer)
            if number == 9:
                self.assertEqual(self.outcome(forge.server(GOOD, issuer)), "served")
        self.assertIn(self.outcome(forge.server(GOOD, issuer)),
                      ("served", "handshake_failure", "alert_handshake_failure", "bad_certificate", "unknown_ca"))

    def test_chains(self):
        """TLS-31: Strangers sent along: 20 kB of them are served, 600 kB served or refused with an alert; memory stays bounded."""
        strangers = [forge.authority(f"Stranger {number}", extra=(forge.alternative_names([f"{letter * 60}.example" for letter in
                                                                                           "abcdefghij" * 20]),)) for number in range(1)]
        few = self.leaf().sending(self.defects.middle, strangers[0])
        self.assertEqual(self.outcome(few), "served")
        before = self.shared.resident_bytes()
        many = self.leaf().sending(self.defects.middle, *strangers * 42)
        self.assertGreater(sum(len(one.der) for one in many.chain), 550_000)
        for _ in range(3):
            self.assertIn(self.outcome(many), ("served", "handshake_failure", "alert_handshake_failure", "bad_certificate"))
        self.assertLess(self.shared.resident_bytes() - before, 60 * MEGABYTE)

    def test_loops(self):
        """TLS-31: Authorities that signed each other in a circle, with no root, are refused in bounded time."""
        one, other = forge.new_key(), forge.new_key()
        a = forge.authority("A", key=one)
        b = forge.authority("B", a, key=other)
        crossed = forge.authority("A", forge.authority("B", key=other), key=one)
        leaf = forge.server(GOOD, b)
        self.assertEqual(self.outcome(leaf.sending(*[b, crossed] * 12)), "unknown_ca")

    def test_many_alike(self):
        """TLS-31: Fifty issuers of one name, of which none signed the leaf, are refused in bounded time."""
        root = forge.authority("Alike")
        leaf = forge.server(GOOD, root)
        alike = [forge.authority("Alike", self.defects.root) for _ in range(50)]
        self.assertIn(self.outcome(leaf.sending(*alike)), ("unknown_ca", "bad_certificate"))

    def test_noise(self):
        """TLS-27, 31: Another protocol, or noise in the place of a certificate, of a message or of its length is an alert."""
        def certificate(body):
            message = b"\x0b" + len(body).to_bytes(3, "big") + body
            return lambda raw: server_hello(raw, suite=0xc02f) + record(22, message)

        leaf = self.leaf().der
        for label, data in {
            "no certificate": certificate(b"\0\0\0"), "empty one": certificate(b"\0\0\3\0\0\0"),
            "noise": certificate(b"\0\0\7\0\0\4nois"), "cut": certificate((len(leaf) + 2).to_bytes(3, "big") + (len(leaf) - 1)
                                                                          .to_bytes(3, "big") + leaf[:-1]),
            "lengths that disagree": certificate(b"\0\0\7\0\0\x40nois"),
            "endless length": certificate(b"\0\0\x0a\0\0\7\x30\x84\xff\xff\xff\xff\0"),
            "nested": certificate((1003).to_bytes(3, "big") + (1000).to_bytes(3, "big") + b"\x30\x80" * 500),
            "a megabyte announced": lambda raw: server_hello(raw, suite=0xc02f) + record(22, b"\x0b\x10\0\0"),
            "a hello of 60 kB": lambda raw: record(22, b"\2\0\xea\x60" + bytes(16000)) + record(22, bytes(16000)),
            "large record": lambda raw: b"\x16\3\3\xff\xff" + bytes(65535), "empty records": lambda raw: record(22, b"") * 100,
            "other protocol": lambda raw: b"HTTP/1.1 400 Bad Request\r\n\r\n", "alerts": lambda raw: record(21, b"\1\0") * 10,
            "data": lambda raw: record(23, bytes(100)), "heartbeat": lambda raw: record(24, b"\1\x40\0"),
        }.items():
            def script(sock, raw):
                sock.sendall(data(raw))
                return sock.recv(100)

            with self.subTest(label), Scripted(script) as server:
                began = time.monotonic()
                self.refused(GOOD, server.port)
                self.assertLess(time.monotonic() - began, 6)
                self.assertTrue(eventually(lambda: server.hellos))
