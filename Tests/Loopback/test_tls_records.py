"""What the case keeps of every handshake, and where the secrets of the device's leg are, and are not (TLS-63)."""

import base64
import hashlib
import json
import re
import ssl
import struct

import hello
import pki
from harness import Folder, LoopbackTest, Proxy, eventually, lines_of, parse_json
from origins import Origin
from tls13 import Client
from wire import Wire

NAME = "origin.example"
LABELS_13 = {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
             "SERVER_TRAFFIC_SECRET_0"}
GROUPS = ("x25519", "X25519MLKEM768")  # IANA's spelling
JA4 = re.compile(r"t(00|s3|1[0-3])[di]\d{4}\w{2}_[0-9a-f]{12}_[0-9a-f]{12}")


def wire_records(case):
    """Every record of wire/ (docs/evidence-format.md, section 9): kind, connection, time, content."""
    found = []
    for number, file in enumerate(sorted((case / "wire").glob("*.bin")), 1):
        data = file.read_bytes()
        assert data[:16] == b"TIDEWIRE" + struct.pack(">II", 1, number), data[:16]
        data = data[16:]
        while data:
            kind, connection, when, size = struct.unpack(">BQqI", data[:21])
            assert len(data) >= 21 + size, "a torn record"
            found.append((kind, connection, when, data[21:21 + size]))
            data = data[21 + size:]
    return found


def key_log(case):
    """The lines of the key log in a case."""
    return [content.decode("ascii") for kind, _, _, content in wire_records(case) if kind == 1]


def without_comments(file):
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


# The specification's own example: Chrome's hello, in the order of the extensions that it gives.
CHROME_SUITES = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
                 0x002F, 0x0035)
CHROME_EXTENSIONS = (0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B,
                     0xFF01, 0x000B, 0x000A, 0x0015)
CHROME_SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
CHROME_JA4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"


def chrome_hello():
    """A hello with the lists of the specification's example, GREASE added."""
    content = dict([hello.server_name(NAME), hello.protocols("h2", "http/1.1"), hello.signatures(*CHROME_SIGNATURES),
                    hello.versions(0x7A7A, 0x0304, 0x0303), hello.groups(hello.X25519, hello.P256), (hello.FORMATS, b"\1\0"),
                    hello.shares((hello.X25519, bytes(32))), (hello.MODES, b"\1\1"), (hello.RENEGOTIATION, b"\0"),
                    (0x0005, b"\1\0\0\0\0"), (0x001B, b"\2\0\2"), (0x4469, b"\0\3\2h2")])
    extensions = [(0x8A8A, b""), *((number, content.get(number, b"")) for number in CHROME_EXTENSIONS), (0x9A9A, b"\0")]
    return hello.client_hello(extensions, suites=(0xAAAA, *CHROME_SUITES))


class Handshakes(LoopbackTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}, config=hello.PATIENT))
        cls.leaf_files = pki.shared().leaf(NAME)
        cls.server = cls.enterClassContext(Origin(leaf=cls.leaf_files))

    def detail(self, port):
        """What `show --json` has of the flow to a port: the lines of its connection, by type and leg."""
        flow = eventually(lambda: [flow for flow in self.shared.flows() if flow["port"] == port and flow["ended"]])[-1]
        shown = self.shared.rows("show", flow["flow"], "--case", "case")[0]
        return {(line["type"], line.get("leg")): line for line in shown["connection"]}, flow

    def test_flow(self):
        """TLS-63: a flow shows the server's chain, version, suite, verdict and revocation state, and both hellos' JA4."""
        for version, said in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with self.subTest(said), Origin(leaf=self.leaf_files) as server:
                server.context.maximum_version = version
                self.assertEqual(self.shared.fetch(NAME, server.port).status, 200)
                lines, _ = self.detail(server.port)
                upstream, downstream = lines["handshake", "upstream"], lines["handshake", "downstream"]
                self.assertEqual((upstream["version"], downstream["version"]), (said, said))
                for line in (upstream, downstream):
                    self.assertRegex(line["cipher"], r"^TLS_[A-Z0-9_]+$")
                self.assertEqual(upstream["verification"], "ok")
                self.assertIn(upstream["group"], GROUPS)
                self.assertFalse(upstream["resumed"])
                self.assertIn("Origin authority (trusted)", upstream["anchor"])
                self.assertEqual(upstream["client_certificate"], "none")
                # no staple, no list: nobody was heard
                self.assertEqual(upstream["revocation"]["status"], "unknown")
                self.assertRegex(upstream["ja4"], JA4)
                der = ssl.PEM_cert_to_DER_cert(self.leaf_files[0].read_text())
                self.assertEqual(upstream["chain"][0], hashlib.sha256(der).hexdigest())
                body = self.shared.case / "bodies" / upstream["chain"][0][:2] / upstream["chain"][0]
                self.assertTrue(body.exists())
                self.assertRegex(lines["hello", None]["ja4"], JA4)

    def test_revocation_off(self):
        """TLS-63: with `revocation: off` the record says that nobody was asked."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"tls": {"revocation": "off"}})
        self.assertEqual(proxy.fetch(NAME, self.server.port).status, 200)
        def upstream():
            lines = map(json.loads, lines_of(proxy.case))
            return [line for line in lines if line["type"] == "handshake" and line["leg"] == "upstream"]
        self.assertEqual(eventually(upstream)[0]["revocation"]["status"], "unchecked")

    def test_a_refused_server(self):
        """TLS-63: of a server that is refused the record has the chain and why, and no group or suite that was not agreed on."""
        server = self.tls_origin(NAME, kind="expired")
        with self.assertRaises(ssl.SSLError):
            self.shared.tunnel(NAME, server.port)
        lines, flow = self.detail(server.port)
        self.assertIn("expired", lines["handshake", "upstream"]["verification"])
        self.assertEqual(len(lines["handshake", "upstream"]["chain"]), 1)
        self.assertIn("expired", json.dumps(flow["error"]))

    def test_group(self):
        """TLS-63: the group of the key exchange is recorded by IANA's name, of both legs, and a retry's is the second one."""
        for groups, name in (((hello.X25519,), "x25519"), ((hello.P521, hello.P256), "secp256r1")):
            with self.subTest(name):
                server = self.tls_origin(NAME)
                reply, wire = self.shared.connect(f"{NAME}:{server.port}")
                with wire:
                    self.assertEqual(Client(wire, NAME, groups=groups, shared=groups[:1] if name == "x25519" else ())
                                     .get(f"{NAME}:{server.port}"), 200)
                lines, _ = self.detail(server.port)
                self.assertEqual(lines["handshake", "downstream"]["group"], name)
                self.assertIn(lines["handshake", "upstream"]["group"], GROUPS)

    def hellos(self):
        return [line for line in map(json.loads, lines_of(self.shared.case)) if line["type"] == "hello"]

    def recorded(self, raw):
        """The line of the hello that came in these bytes."""
        found = eventually(lambda: [line for line in self.hellos() if base64.b64decode(line["raw"]) == raw])
        self.assertTrue(found, "the hello is not in the case as it was sent")
        return found[0]

    def test_fingerprint_of_made_hellos(self):
        """TLS-63: the JA4 of hand-made hellos is what the specification gives: GREASE, order, ALPN, SNI, versions, counts."""
        old, many = hello.extensions_12(NAME), range(0xC001, 0xC080)
        cases = {
            "plain": hello.client_hello(old),
            "no server name": hello.client_hello(old[1:]),
            "no extensions": hello.client_hello(None),
            "no signature algorithms": hello.client_hello([pair for pair in old if pair[0] != hello.SIGNATURES]),
            "another order": hello.client_hello(old[::-1], suites=hello.SUITES_12[::-1]),
            "h2": hello.client_hello([*old, hello.protocols("h2", "http/1.1")]),
            "http/1.1": hello.client_hello([*old, hello.protocols("http/1.1")]),
            "one letter": hello.client_hello([*old, hello.protocols("x")]),
            "not letters": hello.client_hello([*old, hello.protocols("-foo~")]),
            "GREASE first": hello.client_hello([*old, (0x4A4A, b""), hello.protocols("h2"), hello.versions(0x3A3A, 0x0303)],
                                               suites=(0x2A2A, *hello.SUITES_12)),
            "versions": hello.client_hello([*old, hello.versions(0x0303, 0x0304)], suites=hello.SUITES_12),
            "TLS 1.1": hello.client_hello(old, version=0x0302),
            "over 99 suites": hello.client_hello(old, suites=(*many, *hello.SUITES_12)),
            "over 99 extensions": hello.client_hello([*old, *((number, b"") for number in range(0x5000, 0x5080))]),
            "in pieces": hello.client_hello(old),
        }
        for name, message in cases.items():
            with self.subTest(name):
                raw = hello.records(message, 40 if name == "in pieces" else 16384)
                hello.ask(self.shared, f"{NAME}:{self.server.port}", raw)
                self.assertEqual(self.recorded(raw)["ja4"], hello.ja4(raw))

    def test_fingerprint_of_the_specification(self):
        """TLS-63: the specification's own example has the JA4 that the specification gives."""
        raw = hello.records(chrome_hello())
        self.assertEqual(hello.ja4(raw), CHROME_JA4)
        hello.ask(self.shared, f"{NAME}:{self.server.port}", raw)
        self.assertEqual(self.recorded(raw)["ja4"], CHROME_JA4)

    def test_fingerprint_of_real_clients(self):
        """TLS-63: the JA4 of Python's hellos, with ALPN and without, of TLS 1.2 and 1.3, is what the specification gives."""
        for alpn in (None, ["h2", "http/1.1"], ["http/1.1"]):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(f"{alpn} {version.name}"):
                    reply, wire = self.shared.connect(f"{NAME}:{self.server.port}")
                    with wire:
                        _, sent = hello.speak(self.shared.context(version, alpn), wire, NAME)
                    raw = sent[:5 + int.from_bytes(sent[3:5], "big")]
                    self.assertEqual(self.recorded(raw)["ja4"], hello.ja4(raw))

    def test_fingerprint_of_our_own(self):
        """TLS-63: our own hello's JA4 is recorded as the server saw it."""
        seen = []

        class Listening(Origin):
            """Takes a hello, and refuses it."""

            def _serve(self, sock):
                with Wire(sock) as wire:
                    head = wire.exactly(5)
                    seen.append(head + wire.exactly(int.from_bytes(head[3:], "big")))
                    wire.send(b"\x15\x03\x03\0\2\2\x28")  # handshake_failure

        server = self.enterContext(Listening())
        with self.assertRaises(ssl.SSLError):
            self.shared.tunnel(NAME, server.port, context=self.shared.context(alpn=["h2", "http/1.1"]))
        lines, _ = self.detail(server.port)
        self.assertEqual(lines["handshake", "upstream"]["ja4"], hello.ja4(seen[0]))

    def test_encrypted_hello(self):
        """TLS-60: a hello with the ECH extension is recorded as such, one without is not."""
        for extra, is_there in (((hello.encrypted_hello_grease(),), True), ((), False)):
            reply, wire = self.shared.connect(f"{NAME}:{self.server.port}")
            with wire:
                client = Client(wire, NAME, extra=extra)
                line = self.recorded(client.sent)
                self.assertEqual(line["ech"], is_there)
                self.assertEqual(line["ja4"], hello.ja4(client.sent))


class KeyLog(LoopbackTest):
    """The secrets of the device's leg are in the case and nowhere else."""

    def visit(self, proxy, server, version, keys):
        context = proxy.context(version)
        context.keylog_filename = str(keys)
        with proxy.tunnel(NAME, server.port, context=context) as wire:
            self.assertEqual(wire.request("GET", "/", f"{NAME}:{server.port}").status, 200)

    def others_with(self, proxy, lines, *exceptions):
        """The files that hold a secret of the lines, as bytes, in hexadecimal or in base64."""
        secrets = [bytes.fromhex(line.split()[2]) for line in lines]
        forms = [form for secret in secrets for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:40])]
        return [file for file in proxy.path.rglob("*") if file.is_file() and file not in exceptions
                and any(form in (data := file.read_bytes()) or form in data.lower() for form in forms)]

    def test_in_the_case(self):
        """TLS-63: wire/ has the lines that the device itself would log, of TLS 1.2 and 1.3, each with its connection."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        server = self.tls_origin(NAME)
        keys = {}
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            keys[version] = proxy.path / f"{version.name}.keys"
            self.visit(proxy, server, version, keys[version])
        proxy.stop()
        kept = set(key_log(proxy.case))
        old, new = (without_comments(file) for file in keys.values())
        self.assertEqual([line.split()[0] for line in old], ["CLIENT_RANDOM"])
        self.assertLessEqual(LABELS_13, {line.split()[0] for line in new})
        self.assertLessEqual(set(old), kept)
        self.assertLessEqual({line for line in new if line.split()[0] in LABELS_13}, kept)
        connections = {line["connection"] for line in map(json.loads, lines_of(proxy.case)) if line["type"] == "handshake"}
        for _, connection, when, _ in wire_records(proxy.case):
            self.assertIn(f"c-{connection:06}", connections)
            self.assertGreater(when, 1_600_000_000 * 10**9)
        # only of the device's leg: the server's secrets would open what others sent it
        randoms = {line.split()[1] for line in old + new}
        self.assertEqual({line.split()[1] for line in kept}, randoms)
        self.assertEqual((proxy.case / "wire").stat().st_mode & 0o777, 0o700)
        for file in (proxy.case / "wire").iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.others_with(proxy, old + new, *keys.values(), *(proxy.case / "wire").iterdir()), [])
        for line in old + new:
            self.assertNotIn(line.split()[2], "\n".join(proxy.lines + proxy.errors))
        proxy.run("evidence", "verify", "case")

    def test_they_open_the_tunnel(self):
        """TLS-63: the traffic secret in the case is the one that a client, which computes it by itself, sealed its request with."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        server = self.tls_origin(NAME)
        reply, wire = proxy.connect(f"{NAME}:{server.port}")
        with wire:
            client = Client(wire, NAME)
            self.assertEqual(client.get(f"{NAME}:{server.port}"), 200)
        proxy.stop()
        self.assertIn(f"CLIENT_TRAFFIC_SECRET_0 {client.random.hex()} {client.secret.hex()}", key_log(proxy.case))

    def test_resumed(self):
        """TLS-63: a resumed connection has its own lines in the key log."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        server = self.tls_origin(NAME)
        keys = proxy.path / "device.keys"
        context = proxy.context(ssl.TLSVersion.TLSv1_2)
        context.keylog_filename = str(keys)
        session = None
        for _ in range(2):
            reply, wire = proxy.connect(f"{NAME}:{server.port}")
            with wire:
                wire.sock = context.wrap_socket(wire.sock, server_hostname=NAME, session=session)
                self.assertEqual(wire.request("GET", "/", f"{NAME}:{server.port}").status, 200)
                was_resumed, session = wire.sock.session_reused, wire.sock.session
        self.assertTrue(was_resumed)
        proxy.stop()
        lines = without_comments(keys)
        randoms = {line["raw"] for line in map(json.loads, lines_of(proxy.case)) if line["type"] == "hello"}
        self.assertEqual(len(randoms), 2)
        self.assertLessEqual(set(lines), set(key_log(proxy.case)))
        kept = {line.split()[1] for line in key_log(proxy.case)}
        self.assertEqual(kept, {base64.b64decode(raw)[11:43].hex() for raw in randoms})

    def test_nowhere_else(self):
        """TLS-63: in observe mode and with `case.wire: false` there is no key log, and no file holds a secret."""
        for name, changes in (("observe", {"mode": "observe"}), ("wire", {"config": {"case": {"wire": False}}})):
            with self.subTest(name):
                proxy = self.proxy(hosts={NAME: "127.0.0.1"}, **changes)
                server = self.tls_origin(NAME)
                keys = [proxy.path / "12.keys", proxy.path / "13.keys"]
                self.visit(proxy, server, ssl.TLSVersion.TLSv1_2, keys[0])
                self.visit(proxy, server, ssl.TLSVersion.TLSv1_3, keys[1])
                proxy.stop()
                self.assertEqual(list(proxy.case.glob("wire/*")), [])
                self.assertEqual(self.others_with(proxy, without_comments(keys[0]) + without_comments(keys[1]), *keys), [])

    def test_only_with_the_case(self):
        """TLS-63: SSLKEYLOGFILE in the proxy's environment makes no file."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, environment={"SSLKEYLOGFILE": "keys.log"})
        server = self.tls_origin(NAME)
        self.assertEqual(proxy.fetch(NAME, server.port).status, 200)
        self.assertFalse((proxy.path / "keys.log").exists())


class Doctor(LoopbackTest):
    """What an operator is told of TLS before and during a run."""

    def rows(self, folder):
        return {row["check"]: row for row in parse_json(folder.run("doctor", "--json", expect=None).out)}

    def test_library_and_settings(self):
        """TLS-24: doctor names the TLS library, whether it has hybrid groups, and what is asked of servers."""
        proxy = self.proxy()
        rows = self.rows(proxy)
        self.assertRegex(rows["tls"]["detail"], r"OpenSSL \d.*post-quantum hybrid groups: (yes|no)")
        self.assertIn("is refused", rows["upstream tls"]["detail"])
        self.assertNotIn("WARNING", rows["upstream tls"]["detail"])
        self.assertIn("device 0, 0 resumed", rows["handshakes"]["detail"])

    def test_warnings(self):
        """TLS-1, TLS-13: doctor warns of verification and revocation that are turned off."""
        for changes, words in (({"upstream_verify": "off"}, "upstream_verify: off"),
                               ({"upstream_verify": "mirror"}, "upstream_verify: mirror"),
                               ({"revocation": "off"}, "revocation is not looked at")):
            with self.subTest(words):
                folder = Folder(config={"tls": changes})
                self.addCleanup(folder.close)
                detail = self.rows(folder)["upstream tls"]["detail"]
                self.assertIn("WARNING", detail)
                self.assertIn(words, detail)
