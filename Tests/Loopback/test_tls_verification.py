"""TLS-1 to TLS-12, TLS-15: which servers the proxy takes for what they say they are."""

import ssl

from cryptography.hazmat.primitives.serialization import load_pem_private_key

import forge
import pki_defects
from harness import alert_of, eventually
from tls13_server import TLS13Server
from tls_servers import OpenSSLServer, Relay, TLSOrigin, VirtualHosts, with_key_exchange_damaged
from tls_test import GOOD, TLS12, TLS13, VerificationTest


class Defective(VerificationTest):
    weight = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        certificates = {name: found[0] for name, found in cls.defects.bad.items()} | cls.defects.good
        cls.server = cls.enterClassContext(VirtualHosts(certificates))

    def assertTable(self, *kinds):
        """Every host of these kinds is refused with one of its alerts, sends no byte of a request, and its record says why."""
        table = {host: found for host, found in self.defects.bad.items() if any(found[1:] == kind for kind in kinds)}
        self.assertGreater(len(table), 3)
        self.assertEqual(self.answered(GOOD, self.server.port), b"GET /through")
        before = len(self.server.requests)
        for host, (_, alerts, _) in table.items():
            with self.subTest(host):
                self.assertIn(self.refused(host, self.server.port), alerts)
                self.assertIn(host, self.server.asked, "it was never asked")
        self.assertEqual(len(self.server.requests), before)

        def errors():
            rows = {flow["host"]: flow["error"] for flow in self.shared.flows() if flow["error"]}
            return rows if table.keys() <= rows.keys() else None

        said = eventually(errors) or {flow["host"]: flow["error"] for flow in self.shared.flows()}
        for host, (_, _, words) in table.items():
            with self.subTest(host):
                text = str(said.get(host)).lower()
                self.assertTrue(any(word in text for word in words), text)

    def test_times(self):
        """TLS-9: Expired or future leaves, intermediates and roots are refused with certificate_expired."""
        self.assertTable(pki_defects.TIME)

    def test_names(self):
        """TLS-3, 4, 6: A certificate without the host in its SAN is refused: CN, stray wildcards, NUL, raw UTF-8, look-alikes."""
        self.assertTable(pki_defects.NAME)

    def test_trust(self):
        """TLS-1, 9: A chain that leads to no trusted root, or lacks an intermediate, is refused with unknown_ca."""
        self.assertTable(pki_defects.TRUST)

    def test_forms(self):
        """TLS-2, 7, 8, 10: Issuers that are none, constraints, purposes, unknown criticals, weak and broken signatures are refused."""
        self.assertTable(pki_defects.FORM)

    def test_right(self):
        """TLS-15: Odd but right certificates are accepted: other keys, many or unordered intermediates, cross-signed, 200 SANs."""
        for host in self.defects.good:
            with self.subTest(host):
                self.assertEqual(self.answered(host, self.server.port), b"GET /through")


class Addresses(VerificationTest):
    def test_addresses(self):
        """TLS-5: An address matches an iPAddress and nothing else: no dNSName, no CN, no wildcard, no other address."""
        middle = self.defects.middle
        good = self.enterContext(TLSOrigin(forge.server("127.0.0.1", middle)))
        self.assertEqual(self.answered("127.0.0.1", good.port), b"GET /through")
        for label, names in {"dNSName": (b"127.0.0.1",), "wildcard": (b"*.0.0.1",), "CN": (), "other": ("127.0.0.2",),
                             "mapped": ("::ffff:127.0.0.1",), "CN beside": ("elsewhere.example",)}.items():
            with self.subTest(label):
                server = self.enterContext(TLSOrigin(forge.server("127.0.0.1", middle, names=names)))
                self.assertIn(self.refused("127.0.0.1", server.port), pki_defects.NAME[0])
                self.assertEqual(server.received, b"")

    def test_constraints_on_addresses(self):
        """TLS-8: Name constraints hold for addresses: kept is accepted, violated is refused."""
        for label, certificate in self.defects.for_address.items():
            with self.subTest(label):
                server = self.enterContext(TLSOrigin(certificate))
                if label == "permitted":
                    self.answered("127.0.0.1", server.port)
                else:
                    self.assertIn(self.refused("127.0.0.1", server.port), pki_defects.FORM[0])

    def test_address_of_version_six(self):
        """TLS-5: An IPv6 address is matched by its iPAddress, whatever its spelling."""
        proxy = self.proxy(config={"tls": {"upstream_roots": "forged.pem"},
                                   "upstream": {"allow_special_use": ["127.0.0.0/8", "::1/128"]}},
                           before_start=lambda proxy: proxy.write("forged.pem", self.defects.roots_pem))
        for names, is_right in ((("::1",), True), (("::2",), False), ((b"::1",), False)):
            with self.subTest(names):
                server = self.enterContext(TLSOrigin(forge.server("six", self.defects.middle, names=names), address="::1"))
                context = proxy.context()
                context.check_hostname = False
                answer, wire = proxy.connect(f"[0:0::1]:{server.port}")
                with wire:
                    self.assertEqual(answer.status, 200)
                    if is_right:
                        wire.sock = context.wrap_socket(wire.sock)
                        self.assertEqual(wire.sock.getpeercert()["subjectAltName"], (("IP Address", "0:0:0:0:0:0:0:1"),))
                    else:
                        with self.assertRaises(ssl.SSLError) as caught:
                            context.wrap_socket(wire.sock)
                        self.assertIn(alert_of(caught.exception), pki_defects.NAME[0])


class Possession(VerificationTest):
    """TLS-2: the certificate alone proves nothing."""

    def leaf(self):
        return self.defects.good[GOOD]

    def test_certificate_verify(self):
        """TLS-2: In TLS 1.3 a server that signs with another key, or not what was said, is refused; its twin is not."""
        with TLS13Server(self.leaf()) as server:
            self.assertEqual(self.answered(GOOD, server.port), b"ok")
            self.assertEqual(server.finished, 1)
        for label, more in {"another key": {"key": forge.new_key()},
                            "damaged": {"prove": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])},
                            "empty": {"prove": lambda signature: b""}}.items():
            with self.subTest(label), TLS13Server(self.leaf(), **more) as server:
                self.assertIn(self.refused(GOOD, server.port),
                              ("handshake_failure", "alert_handshake_failure", "decrypt_error", "bad_certificate"))
                self.assertEqual((len(server.hellos), server.finished, server.received), (1, 0, b""))
                self.assertIn("signature", str(self.flow_at(server.port)["error"]).lower())

    def test_server_key_exchange(self):
        """TLS-2: In TLS 1.2 a ServerKeyExchange whose signature does not fit is refused; the same relay unchanged is not."""
        server = self.enterContext(TLSOrigin(self.leaf(), versions=(TLS12, TLS12)))
        with Relay(server.port, lambda data: data) as relay:
            self.assertEqual(self.answered(GOOD, relay.port), b"GET /through")
        received = server.received
        with Relay(server.port, with_key_exchange_damaged) as relay:
            self.assertIn(self.refused(GOOD, relay.port), ("handshake_failure", "alert_handshake_failure", "decrypt_error"))
            self.assertEqual((len(relay.hellos), server.received), (1, received))


class Trust(VerificationTest):
    def test_own_authority(self):
        """TLS-11: A server with a certificate of the proxy's own authority is refused, though the roots name that authority."""
        def own(proxy):
            proxy.run("ca", "init")
            proxy.write("forged.pem", self.defects.root.pem + (proxy.path / "certs/ca.crt").read_text())

        proxy = self.proxy(hosts={GOOD: "127.0.0.1"}, config={"tls": {"upstream_roots": "forged.pem"}}, before_start=own)
        authority = forge.Certificate(ssl.PEM_cert_to_DER_cert((proxy.path / "certs/ca.crt").read_text()), None, None)
        authority.key = load_pem_private_key((proxy.path / "certs/ca.key").read_bytes(), None)
        server = self.enterContext(TLSOrigin(forge.server(GOOD, authority)))
        self.assertIn(self.refused(GOOD, server.port, proxy), {"unknown_ca", "bad_certificate"})
        self.assertIn("own", str(self.flow_at(server.port, proxy)["error"]))
        server.show(self.defects.good[GOOD])
        self.answered(GOOD, server.port, proxy)

    def test_good_turns_bad(self):
        """TLS-12: A good server that turns bad, at the same address and port, is refused at once, and taken back as soon."""
        for versions in ((TLS12, TLS12), (TLS13, TLS13)):
            server = self.enterContext(TLSOrigin(self.defects.good[GOOD], versions=versions))
            for host, certificate in (("expired", forge.server(GOOD, self.defects.middle, days=(-9, -1))),
                                      ("unknown", forge.server(GOOD, forge.authority("Unknown root"))),
                                      ("other name", forge.server("elsewhere.example", self.defects.middle))):
                with self.subTest(host, version=versions[0].name):
                    self.answered(GOOD, server.port)
                    server.show(certificate, versions=versions)
                    self.refused(GOOD, server.port)
                    server.show(self.defects.good[GOOD], versions=versions)
            self.answered(GOOD, server.port)


class Ordinary(VerificationTest):
    """TLS-15: servers that are unusual, and nothing more."""

    def leaf(self):
        return self.defects.good[GOOD]

    def test_versions_and_protocols(self):
        """TLS-15: Servers of TLS 1.2 or 1.3 alone, of HTTP/2 or 1.1 alone, or without ALPN are served."""
        for label, more, offered in (("1.2", {"versions": (TLS12, TLS12)}, None), ("1.3", {"versions": (TLS13, TLS13)}, None),
                                     ("http/1.1", {"alpn": ["http/1.1"]}, ["h2", "http/1.1"]), ("no ALPN", {}, ["h2", "http/1.1"]),
                                     ("ChaCha20", {"versions": (TLS12, TLS12), "ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305"}, None)):
            with self.subTest(label):
                server = self.enterContext(TLSOrigin(self.leaf(), **more))
                with self.shared.tunnel(GOOD, server.port, context=self.shared.context(alpn=offered)) as wire:
                    self.assertNotEqual(wire.sock.selected_alpn_protocol(), "h2")
                    self.assertEqual(wire.request("GET", "/", f"{GOOD}:{server.port}").status, 200)
        server = self.enterContext(TLSOrigin(self.leaf(), lambda _: False, alpn=["h2"]))
        with self.shared.tunnel(GOOD, server.port, context=self.shared.context(alpn=["h2", "http/1.1"])) as wire:
            self.assertEqual(wire.sock.selected_alpn_protocol(), "h2")

    def test_server_name_required(self):
        """TLS-15: A server that answers only to its name is served, and asked by that name."""
        server = self.enterContext(VirtualHosts({GOOD: self.leaf()}))
        self.answered(GOOD, server.port)
        self.assertEqual(server.asked, [GOOD])

    def test_client_certificate_optional(self):
        """TLS-15: A server that asks for a client certificate and can do without gets none, and is served."""
        for version in (TLS12, TLS13):
            with self.subTest(version.name):
                server = self.enterContext(TLSOrigin(self.leaf(), versions=(version, version), clients=ssl.CERT_OPTIONAL))
                self.answered(GOOD, server.port)

    def test_programs(self):
        """TLS-15: openssl's server with an RSA chain of two is served over TLS 1.2 and 1.3."""
        second = forge.authority("Second RSA", self.defects.rsa, key="rsa2048")
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version), OpenSSLServer(forge.server(GOOD, second, key="rsa2048"), version) as server:
                self.assertIn(b"s_server", self.answered(GOOD, server.port))
