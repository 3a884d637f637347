"""TLS-52 to TLS-60: where a tunnel leads, whatever the names in it say. More of it: test_bad_input, test_strictness."""

import forge
import hello
import tls13
from client_hello import Offer
from harness import LoopbackTest, Proxy, eventually
from pki_defects import DOMAIN
from tls_servers import Scripted, TLSOrigin, VirtualHosts
from tls_test import GOOD, VerificationTest, trusting
from wire import Truncated

OTHER = f"permitted.{DOMAIN}"
REFUSED = (400, 403, 405, 421, 501)


class Fronting(VerificationTest):
    """A server name that is not what CONNECT named."""

    def setUp(self):
        self.server = self.enterContext(VirtualHosts({GOOD: self.leaf(), OTHER: self.defects.good[OTHER]}))

    def judging(self):
        return self.proxy(**trusting(hosts=(GOOD, OTHER, f"other-name.{DOMAIN}"), config={"tls": {"fronting": "judge"}}))

    def test_refused(self):
        """TLS-52: By default another server name is unrecognized_name, and the server is not even greeted; the same name is served."""
        self.answered(GOOD, self.server.port)
        for sni in (OTHER, "elsewhere.example", f"x.{GOOD}", DOMAIN):
            with self.subTest(sni):
                self.assertEqual(self.refused(GOOD, self.server.port, sni=sni), "unrecognized_name")
        self.assertEqual(self.server.asked, [GOOD])

    def test_judged(self):
        """TLS-52: With `judge` the name of the padlock is the one that the upstream proves: asked by it, refused if it cannot."""
        proxy = self.judging()
        context = proxy.context()
        with proxy.tunnel(GOOD, self.server.port, sni=OTHER, context=context) as wire:
            self.assertEqual(wire.sock.getpeercert()["subjectAltName"], (("DNS", OTHER),))
            self.assertEqual(wire.request("GET", "/judged", f"{OTHER}:{self.server.port}").status, 200)
        self.assertEqual(self.server.asked, [OTHER])
        # a server that is good for the CONNECT name alone
        single = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, single.port, proxy)
        received = single.received
        self.assertIn(self.refused(GOOD, single.port, proxy, sni=OTHER), {"certificate_unknown", "bad_certificate"})
        self.assertEqual(single.received, received)

    def test_address(self):
        """TLS-52: After CONNECT to an address the server name is verified upstream and is the leaf's; no name, the address is."""
        with self.shared.tunnel("127.0.0.1", self.server.port, sni=GOOD) as wire:
            self.assertEqual(wire.sock.getpeercert()["subjectAltName"], (("DNS", GOOD),))
        self.assertEqual(self.server.asked, [GOOD])
        wrong = self.enterContext(TLSOrigin(forge.server("127.0.0.1", self.defects.middle)))
        self.assertIn(self.refused("127.0.0.1", wrong.port, sni=GOOD), {"certificate_unknown", "bad_certificate"})
        self.answered("127.0.0.1", wrong.port)

    def test_odd_names(self):
        """TLS-52: A server name that is none is an alert, or counts for nothing; it never leads elsewhere."""
        server = self.enterContext(Scripted())
        for name in ("", "127.0.0.1", "::1", "a b", "*.defect.example", "x" * 300, f"{GOOD}:443", f"{GOOD}\0.elsewhere.example",
                     f"{GOOD}/", f"user@{GOOD}", "..", "-", "%00"):
            with self.subTest(name):
                count = len(server.hellos)
                data = hello.records(hello.client_hello(hello.extensions_12(name)))
                said = hello.ask(self.shared, f"{GOOD}:{server.port}", data)
                self.assertIsNone(said.hello)
                for raw in server.hellos[count:]:
                    self.assertIn(Offer(raw).name, (GOOD, None))

    def test_absolute_form(self):
        """TLS-54: GET https://... outside a tunnel is refused, or verified as a tunnel is: a bad server is never fetched from."""
        bad = f"expired-leaf.{DOMAIN}"
        server = self.enterContext(VirtualHosts({GOOD: self.leaf(), bad: self.defects.bad[bad][0]}))
        for host in (GOOD, bad):
            with self.subTest(host), self.shared.dial() as wire:
                target = f"{host}:{server.port}"
                wire.send(f"GET https://{target}/absolute HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
                status = wire.response().status
                self.assertTrue(status in REFUSED or status in (502, 200) and (host == GOOD) == (status == 200), status)
        self.assertEqual([request for connection in server.connections for request in connection.requests
                          if request.get("Host", "").startswith(bad)], [])
        # nor in the clear, to a port that is not TLS
        plain = self.origin()
        with self.shared.dial() as wire:
            wire.send(f"GET https://{GOOD}:{plain.port}/absolute HTTP/1.1\r\nHost: {GOOD}:{plain.port}\r\n\r\n".encode())
            self.assertIn(wire.response().status, (*REFUSED, 502))
        self.assertNotIn(b"/absolute", plain.received)

    def test_two_framings(self):
        """TLS-55: A request with Content-Length and Transfer-Encoding reaches the server with neither both nor either: 400."""
        for lines in (b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 4"):
            with self.subTest(lines), self.shared.tunnel(GOOD, self.server.port) as wire:
                wire.send(b"POST /both HTTP/1.1\r\nHost: %s:%d\r\n%s\r\n\r\n0\r\n\r\n" % (GOOD.encode(), self.server.port, lines))
                self.assertEqual(wire.response().status, 400)
        with self.shared.tunnel(GOOD, self.server.port) as wire:
            self.assertEqual(wire.request("POST", "/one", f"{GOOD}:{self.server.port}", b"four").status, 200)
        self.assertEqual([request.target for request in self.server.requests], ["/one"])


class Beginnings(VerificationTest):
    """The first bytes of a tunnel."""

    def test_grease(self):
        """TLS-60: A hello with GREASE ECH is intercepted like any other, by its outer name, and the record says that it had one."""
        server = self.enterContext(TLSOrigin(self.leaf()))
        for count, (more, has_one) in enumerate((([hello.encrypted_hello_grease()], True), ([], False))):
            answer, wire = self.shared.connect(f"{GOOD}:{server.port}")
            with self.subTest(has_one), wire:
                self.assertEqual(answer.status, 200)
                client = tls13.Client(wire, GOOD, extra=more)
                self.assertEqual(client.get(f"{GOOD}:{server.port}"), 200)
                self.assertNotIn(hello.ECH, client.encrypted_extensions)  # no retry configurations: we have none
                found = eventually(lambda: self.lines_at(server.port, "hello")[count:])
                self.assertEqual((found[0]["ech"], found[0]["sni"]), (has_one, GOOD))

    def test_not_tls(self):
        """TLS-58: What begins like TLS and is none, or like SSL 2, goes to no server of a region that a rule names; TLS does."""
        proxy = self.proxy(**trusting(mode="redact", hosts={GOOD: "127.66.0.1"}))
        begun = hello.records(hello.client_hello(hello.extensions_12(GOOD)))
        for label, data in {
            "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37), "alert": b"\x15\3\1\0\2\2\x28",
            "application data": b"\x17\3\3\0\4abcd", "cipher change": b"\x14\3\1\0\1\1", "heartbeat": b"\x18\3\1\0\3\1\x40\0",
            "hello of a server": b"\x16\3\1\0\4\2\0\0\0", "version 4": b"\x16\4\0" + begun[3:], "noise": b"\0\1\2\3noise",
            "empty records": b"\x16\3\1\0\0" * 50, "large record": b"\x16\3\1\xff\xff" + bytes(65535), "TLS": begun,
        }.items():
            server = self.origin(address="127.66.0.1")
            with self.subTest(label):
                answer, wire = proxy.connect(f"{GOOD}:{server.port}")
                with wire:
                    self.assertEqual(answer.status, 200)
                    wire.sock.settimeout(12)
                    try:
                        wire.send(data)
                        wire.sock.shutdown(1)
                        said = wire.to_end()
                        self.assertTrue(said == b"" or said[0] == 21 or said.startswith(b"HTTP/1.1 4"), said[:40])
                    except OSError:
                        pass
                self.assertNotIn(data, server.received)
                if label == "TLS":
                    self.assertTrue(eventually(lambda: server.received), "our own hello did not reach the server")
                else:
                    self.assertEqual(server.received, b"")


class Destinations(LoopbackTest):
    """Without allow_special_use."""

    METADATA = ("169.254.169.254", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518",
                "169.16689662", "169.254.169.254.", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::a9fe:a9fe]",
                "[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[2002:a9fe:a9fe::1]", "[fe80::1]", "[fd00:ec2::254]",
                "100.100.100.200", "192.0.0.192", "metadata.example", "metadata6.example", "METADATA.example.")
    LOOPBACK = ("127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f.0x0.0x0.0x1", "2130706433", "0177.0.0.1", "017700000001", "127.0.0.1.",
                "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
                "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "[::]", "0.0.0.0",
                "0", "0x0", "localhost", "localhost.", "LocalHost", "127.0.0.1.nip.example", "rebound.example",
                "mapped.example", "inside.example")
    ODD = ("127.0.0.1%00.example", "127。0。0。1", "①②⑦.0.0.1", "[::1%25lo]", "[::1%lo]", "127.0.0.1#.example", "127.0.0.1\\.example",
           "0x7f000001.", "00000177.0.0.1", "127.0.0.01", "+127.0.0.1", "[127.0.0.1]", "::1", "1.1.1.1@127.0.0.1")

    @classmethod
    def setUpClass(cls):
        cls.hosts = {"metadata.example": "169.254.169.254", "metadata6.example": "fd00:ec2::254", "127.0.0.1.nip.example": "127.0.0.1",
                     "rebound.example": ["::1", "127.0.0.1"], "inside.example": "10.1.2.3", "mapped.example": "::ffff:127.0.0.1"}
        cls.shared = cls.enterClassContext(Proxy(hosts=cls.hosts, config={"upstream": {"allow_special_use": []}}))

    def test_spellings(self):
        """TLS-57: Loopback, link-local and metadata addresses are refused in every spelling, by CONNECT and in absolute-form."""
        server = self.origin()
        for host in (*self.METADATA, *self.LOOPBACK, *self.ODD):
            target = f"{host}:{server.port}".encode()
            for start in (b"CONNECT " + target, b"GET http://" + target + b"/"):
                with self.subTest(start), self.shared.dial(5) as wire:
                    wire.send(start + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
                    try:
                        self.assertIn(wire.response().status, (400, 403))
                    except Truncated:
                        self.fail("a bare close")
        self.assertEqual(server.accepted, 0)

    def test_control(self):
        """TLS-57: The same spellings of an address that is allowed are served."""
        proxy = self.proxy(hosts=self.hosts)
        server = self.origin()
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.0.0.1.nip.example"):
            with self.subTest(host):
                answer, wire = proxy.connect(f"{host}:{server.port}")
                wire.close()
                self.assertEqual(answer.status, 200)

    def test_reason(self):
        """TLS-57: The refusal names the address and the key that would allow it, in the page, in Proxy-Status and in the case."""
        for host, address in {"127.0.0.1": "127.0.0.1", "[::1]": "::1", "2130706433": "127.0.0.1", "0x7f.1": "127.0.0.1",
                              "[::ffff:127.0.0.1]": "127.0.0.1", "localhost": "", "169.254.169.254": "169.254.169.254",
                              "[fe80::1]": "fe80::1", "metadata.example": "169.254.169.254", "inside.example": "10.1.2.3",
                              "mapped.example": "127.0.0.1"}.items():
            with self.subTest(host):
                answer, wire = self.shared.connect(f"{host}:80")
                wire.close()
                self.assertEqual(answer.status, 403)
                self.assertIn(b"allow_special_use", answer.body)
                self.assertIn(address.encode(), answer.body)
                self.assertIn("destination_ip_prohibited", answer.get("Proxy-Status", ""))
        found = eventually(lambda: [flow for flow in self.shared.flows() if (flow["error"] or {}).get("code") == "special-use"])
        self.assertTrue(found)

    def test_targets(self):
        """TLS-59: CONNECT to what is not a host and a port is 400, whatever it might be read as."""
        for target in ("x.example:443:443", "x.example:+443", "x.example:-1", "x.example:4 43", "x.example:\u0664\u0664\u0663",
                       "\\x.example:443", "x.example%00:443", "*:443", "[v1.x]:443", "[]:443", "[::1", "::1", "[::1]443", "[x.example]:443",
                       "x.example:65536", "x.example:99999999999", "x.example:0", "x.example:0x1bb", "x" * 64 + ".example:443",
                       ("x" * 60 + ".") * 5 + "example:443", ".example:443", "x..example:443", "x.example:443?", "x.example:443#a",
                       "https://x.example:443", "http://x.example/", "/", "x.example", "x.example:", ":443", "x.example:44x",
                       "user@x.example:443", "a b:443", "[::1:443", "[::g]:443", "x.example:443/", "x.example,y.example:443", "x.example:443,y.example:443", ""):
            with self.subTest(target), self.shared.dial(5) as wire:
                wire.send(f"CONNECT {target} HTTP/1.1\r\nHost: x.example\r\n\r\n".encode())
                self.assertEqual(wire.response().status, 400)
