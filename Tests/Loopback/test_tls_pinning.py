"""TLS-61, TLS-62: devices that refuse our leaves, what becomes of their hosts, and interceptors behind the proxy."""

import ssl

import forge
import hello
from harness import eventually
from pki_defects import DOMAIN
from programs import Bridge
from tls_servers import TLSOrigin
from tls_test import GOOD, VerificationTest, trusting
from wire import Truncated

OTHER = f"permitted.{DOMAIN}"
WATCHED = "watched.example"


class PinningTest(VerificationTest):
    """Devices in front of proxies of their own: what is learned of one must not be another test's."""

    def start(self, **more):
        return self.proxy(**trusting(**{"hosts": {GOOD: "127.0.0.1", OTHER: "127.0.0.1", WATCHED: "127.66.0.1"}, **more}))

    def server_of(self, host=GOOD, **more):
        leaf = forge.server(host, self.defects.middle)
        server = self.enterContext(TLSOrigin(leaf, **more))
        server.leaf = leaf
        return server

    def accept(self, proxy, host=OTHER):
        """The device trusts our authority at one host: so it pins where it refuses."""
        server = self.server_of(host)
        self.answered(host, server.port, proxy)

    def reject(self, proxy, port, host=GOOD, alert=42):
        """A device that ends the handshake with an alert about our leaf, or without a word; whether it was shown one."""
        answer, wire = proxy.connect(f"{host}:{port}")
        with wire:
            self.assertEqual(answer.status, 200)
            wire.sock.settimeout(8)
            wire.send(hello.records(hello.client_hello(hello.extensions_12(host))))
            said = hello.answer(wire)
            if not said.hello:
                return False
            if alert is not None:
                wire.send(b"\x15\3\3\0\2\2" + bytes([alert]))
            try:
                wire.sock.shutdown(1)
                wire.to_end()
            except (OSError, Truncated):
                pass
        return self.certificate_in(said)

    @staticmethod
    def certificate_in(said):
        body = said.message(11)
        return body[6:6 + int.from_bytes(body[3:6], "big")]

    def pins(self, proxy, server, host=GOOD):
        """A device that takes the server's own certificate only: whether it gets through."""
        context = ssl.create_default_context(cadata=self.defects.roots_pem)
        before = self.ended(proxy, server)
        try:
            with proxy.tunnel(host, server.port, context=context) as wire:
                self.assertEqual(wire.sock.getpeercert(binary_form=True), server.leaf.der)
                self.assertEqual(wire.request("GET", "/pinned", f"{host}:{server.port}").status, 200)
                return True
        except ssl.SSLError:
            # the proxy has heard of it, before the next attempt is counted
            self.assertTrue(eventually(lambda: self.ended(proxy, server) > before))
            return False

    def ended(self, proxy, server):
        return len(self.lines_at(server.port, "connection-end", proxy))

    def kinds_at(self, proxy, server, count=1):
        # the tests' roots are no public ones, which every connection says too
        def look():
            rows = [row for row in self.lines_at(server.port, "coverage", proxy) if row["kind"] != "private-root"]
            return rows if len(rows) >= count else None

        return [row["kind"] for row in eventually(look) or []]

    def is_listed(self, proxy, host):
        return host in [row["host"] for row in proxy.rows("passthrough", "list")]


class Pinned(PinningTest):
    weight = 2

    def test_learned(self):
        """TLS-61: A host that a trusting device refuses three times is relayed undecrypted, recorded, listed, and can be revoked."""
        proxy, server = self.start(), self.server_of()
        self.accept(proxy)
        for _ in range(3):
            self.assertFalse(self.is_listed(proxy, GOOD))
            self.assertFalse(self.pins(proxy, server))
        self.assertEqual(self.kinds_at(proxy, server, 3), ["pinned"] * 3)
        self.assertIn("pinned", str(self.flow_at(server.port, proxy)["error"]))
        self.assertTrue(self.pins(proxy, server))
        self.assertIn("learned-passthrough", self.kinds_at(proxy, server, 4))
        flow = eventually(lambda: [row for row in proxy.flows() if row["port"] == server.port and row["treatment"] == "passthrough"])
        self.assertEqual((flow[0]["protocol"], flow[0]["host"]), ("tls", GOOD))
        self.assertIn("passthrough", proxy.run("show", flow[0]["flow"], "--case", "case").out)
        self.assertTrue(self.is_listed(proxy, GOOD))
        self.assertIn(GOOD, proxy.run("doctor", "--json", expect=None).out)
        # other hosts are intercepted as before
        self.accept(proxy)
        self.assertIn(GOOD, proxy.run("passthrough", "revoke", GOOD).out)
        self.assertFalse(self.is_listed(proxy, GOOD))
        self.assertFalse(self.pins(proxy, server))
        self.answered(GOOD, server.port, proxy)

    def test_revoke_what_is_not_there(self):
        """TLS-61: To revoke a host that is not relayed is an error that says so."""
        proxy = self.start()
        done = proxy.run("passthrough", "revoke", GOOD, expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertIn(GOOD, done.err)

    def test_kinds(self):
        """TLS-61: Refusals are told apart: pins, wrong clocks, nothing in common, closes; of these only pins teach anything."""
        proxy = self.start()
        self.accept(proxy)
        for kind, alerts, is_learned in (("pinned", (42, 46, 48, 43), True), ("client-clock", (45,) * 4, False),
                                         ("client-cipher", (40, 70, 71, 40), False), ("client-closed", (None,) * 4, False)):
            server = self.server_of()
            host = GOOD
            with self.subTest(kind):
                for alert in alerts[:3]:
                    shown = self.reject(proxy, server.port, host, alert)
                    self.assertTrue(shown and shown != server.leaf.der)
                self.assertEqual(set(self.kinds_at(proxy, server, 3)), {kind})
                self.assertEqual(self.reject(proxy, server.port, host, alerts[-1]) == server.leaf.der, is_learned)
                if is_learned:
                    proxy.run("passthrough", "revoke", host)

    def test_untrusting(self):
        """TLS-61: A device that has accepted no leaf is one without our CA: `untrusted-ca`; its first acceptance forgets the rest."""
        proxy, server = self.start(), self.server_of()
        for _ in range(2):
            self.assertFalse(self.pins(proxy, server))
        self.assertEqual(set(self.kinds_at(proxy, server, 2)), {"untrusted-ca"})
        self.accept(proxy)
        for _ in range(3):
            self.assertFalse(self.pins(proxy, server), "refusals of before it trusted us are counted")
        self.assertTrue(self.pins(proxy, server))

    def test_acceptance_in_between(self):
        """TLS-61: An acceptance in between begins the count anew."""
        proxy, server = self.start(), self.server_of()
        for _ in range(3):
            for _ in range(2):
                self.assertTrue(self.reject(proxy, server.port))
            self.answered(GOOD, server.port, proxy)
        self.assertFalse(self.pins(proxy, server))

    def test_silence(self):
        """TLS-61: A device that ends the session before it has said a word is counted, and teaches nothing: spare ones end so too."""
        proxy, server = self.start(), self.server_of()
        self.accept(proxy)
        for count in range(4):
            proxy.tunnel(GOOD, server.port).close()
            self.assertTrue(eventually(lambda: self.ended(proxy, server) > count))
        self.assertEqual(set(self.kinds_at(proxy, server, 4)), {"client-closed"})
        self.assertFalse(self.is_listed(proxy, GOOD))
        self.assertFalse(self.pins(proxy, server))

    def test_settings(self):
        """TLS-61: tls.learn_passthrough says after how many refusals and for how long; then it is tried again."""
        proxy = self.start(config={"tls": {"learn_passthrough": {"after": 1, "for": "1s"}}})
        server = self.server_of()
        self.accept(proxy)
        self.assertFalse(self.pins(proxy, server))
        self.assertTrue(self.pins(proxy, server))
        self.assertTrue(eventually(lambda: not self.pins(proxy, server), 5), "it is relayed for ever")

    def test_bad_server(self):
        """TLS-61: Refusals that are the upstream's fault teach nothing."""
        proxy = self.start()
        server = self.server_of()
        server.show(forge.server(GOOD, self.defects.middle, days=(-9, -1)))
        for _ in range(4):
            self.assertEqual(self.refused(GOOD, server.port, proxy), "certificate_expired")
        self.assertFalse(self.is_listed(proxy, GOOD))

    def test_enforcing(self):
        """TLS-61: In redact and block mode nothing is learned towards a region that a rule names: refused, recorded; else it is."""
        rules = """\
version: 1
rules:
  - id: numbers-to-watched-regions
    description: Identifiers bound for a watched region
    when: { region: [watched], finding: [imei] }
    then: block
"""
        for mode in ("redact", "block"):
            proxy = self.start(mode=mode, rules=rules)
            self.accept(proxy)
            watched, outside = self.server_of(WATCHED, address="127.66.0.1"), self.server_of()
            with self.subTest(mode):
                for _ in range(5):
                    self.assertFalse(self.pins(proxy, watched, WATCHED))
                self.assertEqual(watched.received, b"")
                self.assertEqual(self.flow_at(watched.port, proxy)["treatment"], "refused")
                for _ in range(3):
                    self.assertFalse(self.pins(proxy, outside))
                self.assertTrue(self.pins(proxy, outside))

    def test_client_certificate_passes(self):
        """TLS-61: A host under tls.passthrough gets the device's own client certificate, which interception would keep from it."""
        proxy = self.start(config={"tls": {"passthrough": [GOOD]}})
        server = self.server_of(clients=ssl.CERT_REQUIRED)
        identity = forge.made("A device", self.defects.middle, purposes=(forge.CLIENT,))
        context = ssl.create_default_context(cadata=self.defects.roots_pem)
        context.load_cert_chain(*identity.files(proxy.path, "device"))
        with proxy.tunnel(GOOD, server.port, context=context) as wire:
            self.assertEqual(wire.request("GET", "/own", f"{GOOD}:{server.port}").status, 200)
        flow = eventually(lambda: [row for row in proxy.flows() if row["port"] == server.port])
        self.assertEqual(flow[0]["treatment"], "passthrough")


class Interceptors(VerificationTest):
    def test_private_root(self):
        """TLS-62: A chain that ends in a root that is not a public one is counted, and the root is named."""
        server = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, server.port)
        self.assertIn("Forged root", self.assertCovered(server.port, "private-root")["detail"])
        handshake = self.handshake_at(server.port)
        self.assertIn("Forged root", handshake["anchor"])
        self.assertIs(handshake["public_anchor"], False)

    def test_twice(self):
        """TLS-62: A proxy behind another one sees that its servers' chains end in the other's authority."""
        inner = self.shared
        roots = (inner.path / "certs/ca.crt").read_text()
        # the outer proxy reaches the server through a relay that asks the inner one
        self.need("socat")
        server = self.enterContext(TLSOrigin(self.leaf()))
        outer = self.proxy(**trusting(roots))
        with Bridge(inner, GOOD, server.port) as bridge:
            with outer.tunnel(GOOD, bridge.port) as wire:
                # to the server it is a request for another port: all that matters here is the chain
                self.assertIn(wire.request("GET", "/", f"{GOOD}:{bridge.port}").status, (200, 421))
            self.assertIn("Tidewaiter", self.assertCovered(bridge.port, "private-root", outer)["detail"])
