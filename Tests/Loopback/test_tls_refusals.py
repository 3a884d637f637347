"""TLS-26 to TLS-31: how a server that is not to be trusted is refused, mirrored or let through, and what is recorded."""

import hashlib
import ssl
import subprocess
import time

from cryptography import x509

import forge
from harness import alert_of, eventually
from tls13_server import TLS13Server
from tls_servers import Scripted, TLSOrigin, VirtualHosts, record, server_hello
from tls_test import GOOD, HANDSHAKE_FAILED, TLS12, TLS13, VerificationTest, trusting
from pki_defects import DOMAIN
from wire import Truncated

BAD = {f"expired-leaf.{DOMAIN}": "certificate_expired", f"unknown-root.{DOMAIN}": "unknown_ca",
       f"other-name.{DOMAIN}": "certificate_unknown", f"self-signed.{DOMAIN}": "unknown_ca"}


def careless(proxy, alpn=None):
    """A device that verifies nothing."""
    context = proxy.context(alpn=alpn)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class BadHosts(VerificationTest):
    """Servers that do not verify, each at a name of its own on one port."""

    def hosts(self):
        return self.enterContext(VirtualHosts({GOOD: self.leaf(), **{host: self.defects.bad[host][0] for host in BAD}}))


class Refusals(BadHosts):
    def test_no_padlock(self):
        """TLS-26: A device that would take any certificate gets none either: alert first, no page, whatever ALPN and version."""
        server = self.hosts()
        self.answered(GOOD, server.port)
        for host, alert in BAD.items():
            for alpn, version in ((None, TLS12), (["h2", "http/1.1"], TLS13)):
                context = careless(self.shared, alpn)
                context.maximum_version = version
                with self.subTest(host, version=version.name):
                    self.assertEqual(self.refused(host, server.port, context=context), alert)
        self.assertEqual(len(server.requests), 1)

    def test_recorded(self):
        """TLS-27: The flow is refused and says why, the handshake is in the log with the verdict and every certificate sent."""
        middle = forge.authority("Recorded", self.defects.middle)
        certificate = forge.server(GOOD, middle, days=(-9, -1)).sending(middle, self.defects.middle, self.defects.root)
        server = self.enterContext(TLSOrigin(certificate))
        self.assertEqual(self.refused(GOOD, server.port), "certificate_expired")
        flow = self.flow_at(server.port)
        self.assertEqual((flow["treatment"], flow["error"]["code"]), ("refused", "untrusted-upstream"))
        self.assertIn("expired", flow["error"]["detail"])
        handshake = self.handshake_at(server.port)
        self.assertIn("expired", handshake["verification"])
        self.assertEqual(handshake["chain"], [hashlib.sha256(one.der).hexdigest() for one in certificate.chain])
        case = self.shared.case
        for digest in handshake["chain"]:
            self.assertTrue(eventually(lambda: [*case.glob(f"bodies/{digest[:2]}/{digest}*")]), digest)
        self.assertIn("expired", self.shared.run("show", flow["flow"], "--case", "case").out)

    def test_openssl_prints_the_alert(self):
        """TLS-27: openssl s_client prints the alert by its name."""
        server = self.hosts()
        for host, words in ((f"expired-leaf.{DOMAIN}", b"certificate expired"), (f"unknown-root.{DOMAIN}", b"unknown ca")):
            with self.subTest(host):
                done = subprocess.run(
                    ["openssl", "s_client", "-proxy", f"127.0.0.1:{self.shared.port}", "-connect", f"{host}:{server.port}",
                     "-servername", host], input=b"", capture_output=True, timeout=20)
                self.assertIn(words, done.stderr + done.stdout)

    def test_verified_is_recorded(self):
        """TLS-27, 63: A server that verifies is recorded with its chain, version, suite, group, root and `ok`."""
        server = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, server.port)
        handshake = self.handshake_at(server.port)
        self.assertEqual((handshake["verification"], handshake["version"]), ("ok", "TLSv1.3"))
        self.assertEqual(handshake["chain"], [hashlib.sha256(one.der).hexdigest() for one in self.leaf().chain])
        self.assertTrue(handshake["cipher"].startswith("TLS_"))
        self.assertTrue(handshake.get("group"))
        self.assertIn("Forged root", handshake.get("anchor") or "")
        self.assertEqual(handshake.get("client_certificate"), "none")

    def test_client_certificate_demanded(self):
        """TLS-30: A server that insists on a client certificate is a clear error in both versions, not a hang; recorded."""
        for version in (TLS12, TLS13):
            with self.subTest(version.name):
                server = self.enterContext(TLSOrigin(self.leaf(), versions=(version, version), clients=ssl.CERT_REQUIRED))
                began = time.monotonic()
                try:
                    with self.shared.tunnel(GOOD, server.port) as wire:
                        answer = wire.request("GET", "/insisted", f"{GOOD}:{server.port}")
                    self.assertEqual(answer.status, 502)
                    self.assertIn(b"certificate", answer.body)
                except ssl.SSLError as error:
                    self.assertIn(alert_of(error), (*HANDSHAKE_FAILED, "certificate_required", "tlsv13_alert_certificate_required"))
                self.assertLess(time.monotonic() - began, 5)
                self.assertNotIn(b"/insisted", server.received)
                self.assertIn("certificate", str(self.flow_at(server.port)["error"]))
                self.assertCovered(server.port, "client-certificate")
                self.assertEqual(self.handshake_at(server.port).get("client_certificate"), "requested")

    def test_client_certificate_given(self):
        """TLS-30: With tls.client_certs the certificate is shown to the hosts that it is for, and to no other."""
        other, elsewhere = f"permitted.{DOMAIN}", "one.wildcard.example"
        identity = forge.made("The device's owner", self.defects.middle, purposes=(forge.CLIENT,))

        def write(proxy):
            identity.files(proxy.path, "owner")

        proxy = self.proxy(**trusting(
            hosts=(GOOD, other, elsewhere), before_start=write,
            config={"tls": {"client_certs": [{"host": GOOD, "cert": "owner.crt", "key": "owner.key"},
                                             {"host": "*.wildcard.example", "cert": "owner.crt", "key": "owner.key"}]}}))
        for version in (TLS12, TLS13):
            for host, is_shown in ((GOOD, True), (elsewhere, True), (other, False)):
                with self.subTest(host, version=version.name):
                    shown = []

                    def handler(exchange):
                        shown.append((exchange.wire.sock.getpeercert() or {}).get("subject"))
                        exchange.reply()

                    server = self.enterContext(TLSOrigin(self.defects.good[host], handler, versions=(version, version),
                                                         clients=ssl.CERT_OPTIONAL))
                    self.answered(host, server.port, proxy)
                    self.assertEqual(shown, [((("commonName", "The device's owner"),),) if is_shown else None])
                    self.assertEqual(self.handshake_at(server.port, proxy).get("client_certificate"),
                                     "given" if is_shown else "requested")


class Otherwise(BadHosts):
    """tls.upstream_verify that is not strict."""

    def leaf_shown(self, proxy, host, port, path="/seen"):
        with proxy.tunnel(host, port, context=careless(proxy)) as wire:
            self.assertEqual(wire.request("GET", path, f"{host}:{port}").status, 200)
            return forge.Certificate(wire.sock.getpeercert(binary_form=True), None, None).parsed

    def test_mirror(self):
        """TLS-26: With `mirror` the device sees a leaf that it cannot trust either, with the names and time of the server's."""
        proxy = self.proxy(**trusting(hosts=(GOOD, *BAD), config={"tls": {"upstream_verify": "mirror"}}))
        server = self.hosts()
        with proxy.tunnel(GOOD, server.port) as wire:
            issuer = forge.Certificate(wire.sock.getpeercert(binary_form=True), None, None).parsed.issuer
        for host in BAD:
            with self.subTest(host):
                with self.assertRaises(ssl.SSLCertVerificationError):
                    proxy.tunnel(host, server.port)
                shown, theirs = self.leaf_shown(proxy, host, server.port), self.defects.bad[host][0].parsed
                self.assertNotEqual(shown.issuer, issuer)
                self.assertEqual((shown.not_valid_before_utc, shown.not_valid_after_utc),
                                 (theirs.not_valid_before_utc, theirs.not_valid_after_utc))
                self.assertEqual(self.names(shown), self.names(theirs))
                self.assertNotEqual(shown.public_key(), theirs.public_key())
        self.assertCovered(server.port, "unverified", proxy)
        self.assertEqual(len([request for request in server.requests if request.target == "/seen"]), len(BAD))
        # what was minted for a bad server is not what a good one gets, nor the other way round
        with proxy.tunnel(GOOD, server.port) as wire:
            self.assertEqual(wire.request("GET", "/", f"{GOOD}:{server.port}").status, 200)

    @staticmethod
    def names(certificate):
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)

    def test_mirror_turns(self):
        """TLS-12, 26: With `mirror` a server that turns bad gets an untrusted leaf at once, and a trusted one when it is well."""
        proxy = self.proxy(**trusting(config={"tls": {"upstream_verify": "mirror"}}))
        server = self.enterContext(TLSOrigin(self.leaf()))
        for _ in range(2):
            self.answered(GOOD, server.port, proxy)
            server.show(forge.server(GOOD, self.defects.middle, days=(-9, -1)))
            with self.assertRaises(ssl.SSLCertVerificationError):
                proxy.tunnel(GOOD, server.port)
            server.show(self.leaf())
        self.answered(GOOD, server.port, proxy)

    def test_off(self):
        """TLS-26: With `off` the request goes on, the proxy says so when it starts, and each such connection is counted."""
        proxy = self.proxy(**trusting(hosts=(GOOD, *BAD), config={"tls": {"upstream_verify": "off"}}))
        server = self.hosts()
        for host in BAD:
            self.answered(host, server.port, proxy)
        self.assertIn("upstream_verify", "\n".join(proxy.lines + proxy.errors))
        self.assertCovered(server.port, "unverified", proxy)
        self.assertNotEqual(self.handshake_at(server.port, proxy)["verification"], "ok")
        good = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, good.port, proxy)
        self.handshake_at(good.port, proxy)
        self.assertEqual(self.lines_at(good.port, "coverage", proxy, kind="unverified"), [])

    def test_off_does_not_trust_forgeries(self):
        """TLS-2: Even with `off` a server that cannot prove the key of its own certificate is refused."""
        proxy = self.proxy(**trusting(config={"tls": {"upstream_verify": "off"}}))
        with TLS13Server(self.leaf()) as server:
            self.assertEqual(self.answered(GOOD, server.port, proxy), b"ok")
        with TLS13Server(self.leaf(), key=forge.new_key()) as server:
            self.refused(GOOD, server.port, proxy)
            self.assertEqual(server.finished, 0)


class OwnErrors(VerificationTest):
    settings = {"config": {"timeouts": {"handshake": "1s"}}}

    def test_marked(self):
        """TLS-28: An error of the proxy's names itself in Proxy-Status, and may not be cached; a server's own passes as it is."""
        def handler(exchange):
            if exchange.request.target == "/own":
                exchange.reply(502, b"the server's", reason="Bad Gateway")
                return True
            return False

        server = self.enterContext(TLSOrigin(self.leaf(), handler))
        with self.shared.tunnel(GOOD, server.port) as wire:
            own = wire.request("GET", "/own", f"{GOOD}:{server.port}")
        self.assertEqual((own.status, own.body, own.get("Proxy-Status")), (502, b"the server's", None))
        with self.shared.tunnel(GOOD, server.port) as wire:
            ours = wire.request("GET", "/silent", f"{GOOD}:{server.port}")
        answer, wire = self.shared.connect("no-such-name.invalid:443")
        wire.close()
        for error in (ours, answer):
            self.assertIn(error.status, (502, 504))
            self.assertIn("tidewaiter", error.get("Proxy-Status", "").lower())
            self.assertIn("error=", error.get("Proxy-Status"))
            self.assertIn("no-store", error.get("Cache-Control", ""))

    def test_stalled(self):
        """TLS-29: A server that stalls before, in or behind its first flight is an alert when timeouts.handshake is over."""
        def stall(data):
            def script(sock, raw):
                sock.sendall(data(raw))
                return sock.recv(1)
            return script

        def hello(raw):
            return server_hello(raw, suite=0xc02f)

        for label, data in {"silent": lambda raw: b"", "half a record": lambda raw: hello(raw)[:9], "one message": hello,
                            "endless certificate": lambda raw: hello(raw) + record(22, b"\x0b\0\x40\0" + bytes(100))}.items():
            with self.subTest(label), Scripted(stall(data)) as server:
                began = time.monotonic()
                self.assertIn(self.refused(GOOD, server.port), (*HANDSHAKE_FAILED, "internal_error", "user_canceled"))
                self.assertLess(time.monotonic() - began, 5)
                self.assertTrue(self.flow_at(server.port)["error"])
        with TLS13Server(self.leaf()) as server:
            self.assertEqual(self.answered(GOOD, server.port), b"ok")

    def test_cut(self):
        """TLS-29: A server that ends or resets the connection anywhere in its flight is an alert at once, never a bare close."""
        whole = self.enterContext(TLS13Server(self.leaf()))
        self.answered(GOOD, whole.port)
        for cut in (1, 5, 90, 130, 200, 500):
            with self.subTest(cut), TLS13Server(self.leaf(), cut=cut) as server:
                began = time.monotonic()
                self.assertIn(self.refused(GOOD, server.port), HANDSHAKE_FAILED)
                self.assertLess(time.monotonic() - began, 3)

    def test_truncated(self):
        """TLS-29: A body that is cut without close_notify is cut for the device too; the same body whole is whole."""
        for version in (TLS12, TLS13):
            for is_cut in (False, True):
                def handler(exchange):
                    exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000)
                    if not is_cut:
                        try:
                            exchange.wire.sock.unwrap()
                        except OSError:
                            pass
                    return False

                server = self.enterContext(TLSOrigin(self.leaf(), handler, versions=(version, version)))
                with self.subTest(version.name, is_cut=is_cut), self.shared.tunnel(GOOD, server.port) as wire:
                    if is_cut:
                        with self.assertRaises((ssl.SSLError, OSError, Truncated)):
                            wire.request("GET", "/", f"{GOOD}:{server.port}")
                            wire.to_end()
                    else:
                        self.assertEqual(len(wire.request("GET", "/", f"{GOOD}:{server.port}").body or wire.to_end()), 20_000)
