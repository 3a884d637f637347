"""TLS-13, TLS-14: certificates that their issuer has taken back, by staple, by list, and by asking."""

import time

from cryptography.x509.oid import ExtendedKeyUsageOID

import forge
import revocation
from harness import RULES_BLOCK, Folder, Proxy, eventually
from revocation import MUST_STAPLE, asked_at, listed_at, revocation_list, status_answer
from tls13_server import TLS13Server
from tls_servers import OpenSSLServer, TLSOrigin, VirtualHosts
from tls_test import GOOD, VerificationTest, trusting
from pki_defects import DOMAIN

REVOKED = "certificate_revoked"
DOUBTFUL = {"bad_certificate", "bad_certificate_status_response", "alert_bad_certificate_status_response", "certificate_unknown",
            "certificate_revoked"}


class Staples(VerificationTest):
    weight = 3

    def staple(self, leaf, label):
        """A staple by its name, for a leaf."""
        issuer = leaf.issuer
        other = forge.server("elsewhere.example", issuer)
        signing = forge.made("Responder", issuer, purposes=(ExtendedKeyUsageOID.OCSP_SIGNING,))
        return {
            "good": lambda: status_answer(leaf), "of a responder": lambda: status_answer(leaf, responder=signing),
            "revoked": lambda: status_answer(leaf, "revoked"),
            "revoked, out of date": lambda: status_answer(leaf, "revoked", days=(-9, -2)),
            "out of date": lambda: status_answer(leaf, days=(-9, -2)), "from the future": lambda: status_answer(leaf, days=(2, 5)),
            "unknown": lambda: status_answer(leaf, "unknown"), "refusal": revocation.refusal,
            "for another": lambda: status_answer(other), "damaged": lambda: status_answer(leaf, damage=True),
            "unsigned": lambda: status_answer(
                leaf, responder=forge.authority("Forged intermediate"), is_shown=False),
            "of a server": lambda: status_answer(leaf, responder=forge.server("responder.example", issuer)),
            "of a stranger": lambda: status_answer(leaf, responder=forge.made(
                "Stranger", forge.authority("Strange"), purposes=(ExtendedKeyUsageOID.OCSP_SIGNING,))),
        }[label]()

    def revocation_at(self, port, proxy=None):
        return self.handshake_at(port, proxy).get("revocation")

    def test_staples(self):
        """TLS-13: A stapled `revoked` or a staple that no responder makes is refused; one out of date is noted; `good` recorded."""
        leaf = self.leaf()
        for label, status, alerts in (
                ("good", "good", None), ("of a responder", "good", None), ("revoked", "revoked", {REVOKED}),
                ("revoked, out of date", "revoked", {REVOKED}), ("out of date", "unknown", None),
                ("from the future", "unknown", None), ("unknown", "unknown", None), ("refusal", "unknown", None),
                ("for another", "unknown", DOUBTFUL), ("damaged", "unknown", DOUBTFUL), ("unsigned", "unknown", DOUBTFUL),
                ("of a server", "unknown", DOUBTFUL), ("of a stranger", "unknown", DOUBTFUL)):
            versions = ("-tls1_2", "-tls1_3") if label in ("good", "revoked", "unsigned") else ("-tls1_3",)
            for version in versions:
                with self.subTest(label, version=version), \
                        OpenSSLServer(leaf, version, staple=self.staple(leaf, label)) as server:
                    if alerts:
                        self.assertIn(self.refused(GOOD, server.port), alerts)
                    else:
                        self.assertIn(b"s_server", self.answered(GOOD, server.port))
                    found = self.revocation_at(server.port)
                    self.assertEqual(found["status"], status)
                    self.assertEqual("staple" in found["sources"], status != "unknown")

    def test_no_staple(self):
        """TLS-13: Without a staple nothing is known, and the record says so; the server is served."""
        server = self.enterContext(TLSOrigin(self.leaf()))
        self.answered(GOOD, server.port)
        self.assertEqual(self.revocation_at(server.port)["status"], "unknown")

    def test_revoked_says_so(self):
        """TLS-13, 27: A revoked server's flow is refused, and names the revocation and its source."""
        leaf = self.leaf()
        with OpenSSLServer(leaf, staple=status_answer(leaf, "revoked")) as server:
            self.refused(GOOD, server.port)
            flow = self.flow_at(server.port)
            self.assertEqual((flow["treatment"], flow["error"]["code"]), ("refused", "untrusted-upstream"))
            self.assertIn("revoked", flow["error"]["detail"])

    def test_must_staple(self):
        """TLS-13: A certificate that demands a staple is refused without one, or with one out of date, and served with a good one."""
        leaf = forge.server(GOOD, self.defects.middle, extra=(MUST_STAPLE,))
        for version in ("-tls1_2", "-tls1_3"):
            for label, is_good in ((None, False), ("good", True), ("out of date", False), ("unknown", False), ("refusal", False)):
                with self.subTest(label, version=version), \
                        OpenSSLServer(leaf, version, staple=label and self.staple(leaf, label)) as server:
                    if is_good:
                        self.answered(GOOD, server.port)
                    else:
                        self.assertIn(self.refused(GOOD, server.port), DOUBTFUL)

    def test_noise(self):
        """TLS-13: Staples of noise, of nothing and of a megabyte do not harm the proxy, and vouch for nothing."""
        for staple in (b"\0", b"noise" * 100, b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x0a\x01\x00", b"\x30\x82\xff\xf0" + bytes(65520)):
            with self.subTest(staple[:8]), TLS13Server(self.leaf(), staples=(staple,)) as server:
                self.assertIn(self.refused(GOOD, server.port), {*DOUBTFUL, "handshake_failure", "alert_handshake_failure"})
        with TLS13Server(self.leaf(), staples=(status_answer(self.leaf()),)) as server:
            self.assertEqual(self.answered(GOOD, server.port), b"ok")
            self.assertEqual(self.revocation_at(server.port)["status"], "good")

    def test_timestamps(self):
        """TLS-14: Certificate timestamps are recorded with log, time and where they stood: in the certificate or in the handshake."""
        server = self.enterContext(VirtualHosts({GOOD: self.leaf(), f"timestamps.{DOMAIN}": self.defects.good[f"timestamps.{DOMAIN}"]}))
        self.answered(f"timestamps.{DOMAIN}", server.port)
        self.answered(GOOD, server.port)
        both = eventually(lambda: (rows := self.lines_at(server.port, "handshake", leg="upstream")) and len(rows) == 2 and rows)
        shown = [sorted((stamp["log"], stamp["source"], stamp["time"][:10]) for stamp in row["timestamps"]) for row in both]
        self.assertEqual(shown, [[((letter * 32).encode().hex(), "certificate", "2023-11-14") for letter in "LM"], []])
        with TLS13Server(self.leaf(), timestamps=forge.timestamps(b"T" * 32)) as server:
            self.answered(GOOD, server.port)
            stamps = self.handshake_at(server.port)["timestamps"]
            self.assertEqual([(stamp["log"], stamp["source"]) for stamp in stamps], [((b"T" * 32).hex(), "tls")])

    def test_off(self):
        """TLS-13: With `revocation: off` nothing is looked at, and the record says `unchecked`."""
        proxy = self.proxy(**trusting(config={"tls": {"revocation": "off"}}))
        with OpenSSLServer(self.leaf(), staple=status_answer(self.leaf(), "revoked")) as server:
            self.answered(GOOD, server.port, proxy)
            self.assertEqual(self.revocation_at(server.port, proxy)["status"], "unchecked")


class Lists(VerificationTest):
    def test_lists(self):
        """TLS-13: tls.crls refuses what its files list, leaf or intermediate, in PEM and DER, and nothing else."""
        middle, root = self.defects.middle, self.defects.root
        hosts = {name: f"{name}.{DOMAIN}" for name in ("listed", "unlisted", "under", "late-listed", "late-unlisted", "forged")}
        taken = forge.authority("Taken back", root)
        late, victim = forge.authority("Late lists", root), forge.authority("Victim of a forged list", root)
        issuers = {"under": taken, "late-listed": late, "late-unlisted": late, "forged": victim}
        leaves = {name: forge.server(host, issuers.get(name, middle)) for name, host in hosts.items()}

        def write(proxy):
            (proxy.path / "middle.der").write_bytes(revocation_list(middle, leaves["listed"]))
            (proxy.path / "others.pem").write_bytes(
                revocation.as_pem(revocation_list(root, taken)) + revocation.as_pem(
                    revocation_list(late, leaves["late-listed"], days=(-30, -3))))

        def start(*files, more=lambda proxy: None):
            return self.proxy(**trusting(hosts=hosts.values(), config={"tls": {"crls": list(files)}},
                                         before_start=lambda proxy: (write(proxy), more(proxy))))

        proxy = start("middle.der", "others.pem")
        server = self.enterContext(VirtualHosts({hosts[name]: leaf for name, leaf in leaves.items()}))
        for name in ("unlisted", "late-unlisted"):
            self.answered(hosts[name], server.port, proxy)
        requests = len(server.requests)
        for name in ("listed", "under", "late-listed"):
            with self.subTest(name):
                self.assertEqual(self.refused(hosts[name], server.port, proxy), REVOKED)
        self.assertEqual(len(server.requests), requests)
        rows = eventually(lambda: (found := self.lines_at(server.port, "handshake", proxy, leg="upstream")) and found[4:] and found)
        self.assertEqual([row["revocation"]["status"] for row in rows], ["good", "unknown", "revoked", "revoked", "revoked"])
        self.assertIn("crl", rows[2]["revocation"]["sources"])
        self.assertIn("revoked", self.flow_at(server.port, proxy)["error"]["detail"])
        # a list with a victim's name and another's signature says nothing, and does not make its victim good
        forged = start("forged.der", more=lambda proxy: (proxy.path / "forged.der").write_bytes(
            revocation_list(victim, leaves["forged"], key=forge.new_key())))
        self.refuses_or_ignores(forged, hosts["forged"], server)
        self.answered(hosts["listed"], server.port, forged)

    def refuses_or_ignores(self, proxy, host, server):
        try:
            self.answered(host, server.port, proxy)
        except OSError:
            pass
        rows = eventually(lambda: self.lines_at(server.port, "handshake", proxy, leg="upstream"))
        self.assertNotIn(rows[-1]["revocation"]["status"], ("good", "revoked"))

    def test_files_that_are_none(self):
        """TLS-13: A file under tls.crls that is missing or no list keeps the proxy from starting, with one clear line."""
        for label, content in (("missing", None), ("noise", b"noise"), ("a certificate", self.defects.root.pem.encode())):
            with self.subTest(label):
                folder = Folder(config={"tls": {"crls": ["a.crl"]}})
                self.addCleanup(folder.close)
                if content is not None:
                    (folder.path / "a.crl").write_bytes(content)
                done = folder.run("run", "-c", "tidewaiter.yaml", expect=None, wait=20)
                self.assertIn(done.code, (1, 2, 3))
                self.assertIn("crl", done.err.lower())


class Fetching(VerificationTest):
    """tls.revocation: fetch. Each test has authorities of its own: what was fetched is kept."""

    weight = 3
    HOST, ANSWERS = "asked.example", "answers.example"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.responder = cls.enterClassContext(revocation.Responder())
        cls.asking = cls.enterClassContext(Proxy(**trusting(
            hosts=(cls.HOST, cls.ANSWERS), config={"tls": {"revocation": "fetch"}})))

    def chain(self, path, *, host=ANSWERS, kind=asked_at, port=None, above=()):
        """A leaf whose issuer answers under a path of the responder's; `above` extends the issuer's own certificate."""
        issuer = forge.authority(f"Answers {path}", self.defects.root, extra=above)
        return forge.server(self.HOST, issuer, extra=(kind(f"http://{host}:{port or self.responder.port}{path}"),))

    def origin_of(self, leaf):
        return self.enterContext(TLSOrigin(leaf))

    def status_at(self, server, proxy=None, count=1):
        return self.handshake_at(server.port, proxy or self.asking, count)["revocation"]

    def test_good(self):
        """TLS-13: With `fetch` the responder is asked once, by plain HTTP, in a flow of the case's; the next connection asks nobody."""
        leaf = self.chain("/good")
        self.responder.answers["/good"] = status_answer(leaf)
        server = self.origin_of(leaf)
        for _ in range(3):
            self.answered(self.HOST, server.port, self.asking)
        self.assertEqual(self.responder.hits("/good"), 1)
        self.assertEqual((self.status_at(server)["status"], self.status_at(server)["sources"]), ("good", ["ocsp"]))
        self.assertEqual(self.status_at(server, count=3)["status"], "good")
        flow = self.asking.flow_of(f"{self.ANSWERS}:{self.responder.port}/good")
        self.assertEqual(flow["status"], 200)

    def test_revoked(self):
        """TLS-13: A `revoked` that was fetched ends the handshake before a byte of the request leaves; kept, and no servers else."""
        leaf = self.chain("/revoked")
        self.responder.answers["/revoked"] = status_answer(leaf, "revoked")
        server = self.origin_of(leaf)
        for _ in range(2):
            self.assertEqual(self.refused(self.HOST, server.port, self.asking), REVOKED)
        self.assertEqual(server.received, b"")
        self.assertEqual(self.responder.hits("/revoked"), 1)
        self.assertEqual(self.status_at(server)["status"], "revoked")
        self.assertIn("revoked", self.flow_at(server.port, self.asking)["error"]["detail"])

    def test_revoked_intermediate(self):
        """TLS-13: An intermediate that its responder calls revoked ends the handshake too."""
        url = f"http://{self.ANSWERS}:{self.responder.port}"
        leaf = self.chain("/leaf", above=(asked_at(f"{url}/above"),))
        self.responder.answers["/leaf"] = status_answer(leaf)
        self.responder.answers["/above"] = status_answer(leaf.issuer, "revoked")
        self.assertEqual(self.refused(self.HOST, self.origin_of(leaf).port, self.asking), REVOKED)

    def test_list(self):
        """TLS-13: Where a certificate names a list, the list is fetched, kept and heeded."""
        issuer = forge.authority("Lists", self.defects.root)
        place = listed_at(f"http://{self.ANSWERS}:{self.responder.port}/list")
        good, bad = (forge.server(self.HOST, issuer, extra=(place,)) for _ in range(2))
        self.responder.answers["/list"] = revocation_list(issuer, bad)
        server = self.origin_of(good)
        self.answered(self.HOST, server.port, self.asking)
        self.assertEqual((self.status_at(server)["status"], self.status_at(server)["sources"]), ("good", ["crl"]))
        server.show(bad)
        self.assertEqual(self.refused(self.HOST, server.port, self.asking), REVOKED)
        self.assertEqual(self.responder.hits("/list"), 1)

    def test_failures_are_soft(self):
        """TLS-13: A responder that is dead, silent, wrong or late costs a bounded time and the record's `good`, not the connection."""
        unused = revocation.Responder()
        unused.close()
        stale, foreign, damaged = self.chain("/stale"), self.chain("/foreign"), self.chain("/damaged")
        self.responder.answers |= {
            "/noise": b"noise", "/empty": b"", "/slow": None, "/huge": bytes(9 << 20), "/later": revocation.refusal(),
            "/stale": status_answer(stale, days=(-9, -2)), "/foreign": status_answer(self.leaf()),
            # a `revoked` that is not its issuer's is nobody's
            "/damaged": status_answer(damaged, "revoked", damage=True)}
        for label, leaf in {
            "dead": self.chain("/dead", port=unused.port), "unknown name": self.chain("/x", host="no-such-name.invalid"),
            "missing": self.chain("/missing"), "noise": self.chain("/noise"), "empty": self.chain("/empty"),
            "huge": self.chain("/huge"), "later": self.chain("/later"), "slow": self.chain("/slow"), "stale": stale,
            "foreign": foreign, "damaged": damaged,
        }.items():
            with self.subTest(label):
                server = self.origin_of(leaf)
                began = time.monotonic()
                self.answered(self.HOST, server.port, self.asking)
                self.assertLess(time.monotonic() - began, 8)
                self.assertEqual(self.status_at(server)["status"], "unknown")

    def test_what_is_not_asked(self):
        """TLS-13: A staple that is good is not asked about again, https and odd addresses are never fetched, nor is anything by default."""
        leaf = self.chain("/stapled")
        with OpenSSLServer(leaf, staple=status_answer(leaf)) as server:
            self.answered(self.HOST, server.port, self.asking)
        place = f"{self.ANSWERS}:{self.responder.port}"
        for url in (f"https://{place}/tls", f"ftp://{place}/ftp", f"http://user:word@{place}/user", f"ldap://{place}/ldap",
                    f"http://{place}/line\r\nX-Injected: 1"):
            odd = forge.server(self.HOST, self.defects.middle, extra=(asked_at(url),))
            with self.subTest(url):
                self.answered(self.HOST, self.origin_of(odd).port, self.asking)
        plain = self.chain("/default")
        other = self.proxy(**trusting(hosts=(self.HOST, self.ANSWERS)))
        self.answered(self.HOST, self.origin_of(plain).port, other)
        asked = {request[1] for request in self.responder.requests}
        self.assertFalse(asked & {"/stapled", "/tls", "/ftp", "/user", "/line", "/default"}, asked)

    def test_rules_and_special_use(self):
        """TLS-13: What a rule or allow_special_use forbids a device, the proxy does not fetch either; the connection goes on."""
        watched = self.enterContext(revocation.Responder("127.66.0.1"))
        leaf = self.chain("/watched", host="watched.example", port=watched.port)
        watched.answers["/watched"] = self.responder.answers["/watched"] = status_answer(leaf)
        hosts = {self.HOST: "127.0.0.1", "watched.example": "127.66.0.1", "inside.example": "127.0.0.1"}
        for mode, hits in (("block", 0), ("record", 1)):
            proxy = self.proxy(mode=mode, rules=RULES_BLOCK, **trusting(hosts=hosts, config={"tls": {"revocation": "fetch"}}))
            server = self.origin_of(leaf)
            with self.subTest(mode):
                self.answered(self.HOST, server.port, proxy)
                self.assertEqual(watched.accepted, hits)
                self.assertEqual(self.status_at(server, proxy)["status"], "good" if hits else "unknown")
        # the server lies at 127.0.0.2, which is allowed; the responder at 127.0.0.1, which is not
        inside = self.chain("/inside", host="inside.example")
        proxy = self.proxy(**trusting(hosts={**hosts, self.HOST: "127.0.0.2"}, config={
            "tls": {"revocation": "fetch"}, "upstream": {"allow_special_use": ["127.0.0.2/32"]}}))
        server = self.enterContext(TLSOrigin(inside, address="127.0.0.2"))
        self.answered(self.HOST, server.port, proxy)
        self.assertEqual(self.responder.hits("/inside"), 0)
