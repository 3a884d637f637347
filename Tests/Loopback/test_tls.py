"""The leaves that devices are shown, the authority, and hosts that are passed through."""

import os
import plistlib
import re
import ssl
import stat

import pki
from harness import Folder, LoopbackTest, Proxy, eventually
from origins import Origin

NAME = "origin.example"


def certificate_text(der):
    return pki.openssl("x509", "-inform", "DER", "-noout", "-text", input=der).decode()


class Leaves(LoopbackTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1", "second.example": "127.0.0.1"}))
        cls.server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME, "second.example", "127.0.0.1")))

    def leaf(self, name=NAME):
        with self.shared.tunnel(name, self.server.port) as wire:
            return wire.sock.getpeercert(binary_form=True)

    def test_verifies_strictly(self):
        """A leaf passes openssl verify -x509_strict for its name and its purpose."""
        file = self.shared.path / "leaf.pem"
        file.write_text(ssl.DER_cert_to_PEM_cert(self.leaf()))
        said = pki.openssl("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", NAME,
                           "-CAfile", self.shared.path / "certs/ca.crt", file)
        self.assertIn(b"OK", said)

    def test_has_only_the_name(self):
        """A leaf has the name that was asked for and no other, whatever the server's certificate has."""
        text = certificate_text(self.leaf())
        self.assertEqual(re.findall(r"DNS:[^,\s]+|IP Address:[^,\s]+", text), [f"DNS:{NAME}"])

    def test_address(self):
        """A leaf for an address has that address as its one name."""
        with self.shared.tunnel("127.0.0.1", self.server.port) as wire:
            text = certificate_text(wire.sock.getpeercert(binary_form=True))
        self.assertEqual(re.findall(r"DNS:[^,\s]+|IP Address:[^,\s]+", text), ["IP Address:127.0.0.1"])

    def test_key_is_not_the_authority_s(self):
        """A leaf's key is not the authority's."""
        def key(*arguments, **input):
            return pki.openssl("x509", "-noout", "-pubkey", *arguments, **input)
        self.assertNotEqual(key("-inform", "DER", input=self.leaf()), key("-in", self.shared.path / "certs/ca.crt"))

    def test_is_cached(self):
        """A name's leaf is made once for each event loop, and differs from another name's."""
        serials = {re.search(r"Serial Number:\s*(\S+)", certificate_text(self.leaf())).group(1) for _ in range(8)}
        self.assertLessEqual(len(serials), 2)  # two loops in the tests' configuration
        other = re.search(r"Serial Number:\s*(\S+)", certificate_text(self.leaf("second.example"))).group(1)
        self.assertNotIn(other, serials)

    def test_protocol_versions(self):
        """Devices that know TLS 1.2 at most are served; both versions carry requests."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                with self.shared.tunnel(NAME, self.server.port, context=self.shared.context(version)) as wire:
                    self.assertEqual(wire.sock.version().replace("v1.", "v1_"), version.name)
                    self.assertEqual(wire.request("GET", "/", f"{NAME}:{self.server.port}").status, 200)

    def test_alpn(self):
        """Of h2 and http/1.1 the device is given what the server chooses."""
        context = self.shared.context(alpn=["h2", "http/1.1"])
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
            with self.subTest(chosen):
                server = self.tls_origin(NAME, alpn=offered)
                with self.shared.tunnel(NAME, server.port, context=context) as wire:
                    self.assertEqual(wire.sock.selected_alpn_protocol(), chosen)

    def test_a_device_that_rejects_it(self):
        """TLS-61: A device that does not trust the authority is recorded as such."""
        server = self.tls_origin(NAME)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.shared.tunnel(NAME, server.port, context=ssl.create_default_context())
        flow = eventually(lambda: [flow for flow in self.shared.flows() if flow["port"] == server.port])
        self.assertTrue(flow[0]["error"])


class Authority(LoopbackTest):
    """`tidewaiter ca`."""

    def folder(self):
        folder = Folder()
        self.addCleanup(folder.close)
        return folder

    def mode(self, file):
        return stat.S_IMODE(os.stat(file).st_mode)

    def test_modes_whatever_the_umask(self):
        """The key is 0600 in a 0700 folder although the umask is 000."""
        folder = self.folder()
        folder.run("ca", "init", umask=0)
        self.assertEqual(self.mode(folder.path / "certs/ca.key"), 0o600)
        self.assertEqual(self.mode(folder.path / "certs"), 0o700)

    def test_run_makes_one(self):
        """The first run makes an authority with the same modes, and the case is as private."""
        proxy = self.proxy(umask=0)
        self.assertEqual(self.mode(proxy.path / "certs/ca.key"), 0o600)
        self.assertEqual(self.mode(proxy.path / "certs"), 0o700)
        self.assertEqual(self.mode(proxy.case), 0o700)
        for file in proxy.case.rglob("*"):
            if file.is_file():
                self.assertEqual(self.mode(file), 0o600, file)

    def test_profile(self):
        """The authority is a P-256 CA with pathlen 0, for servers only, of 90 days, with a name of its own."""
        folders = [self.folder(), self.folder()]
        subjects = set()
        for folder in folders:
            folder.run("ca", "init")
            text = pki.openssl("x509", "-in", folder.path / "certs/ca.crt", "-noout", "-text").decode()
            for words in ("CA:TRUE, pathlen:0", "TLS Web Server Authentication", "Certificate Sign", "prime256v1"):
                self.assertIn(words, text)
            subjects.add(re.search(r"Subject: (.*)", text).group(1))
        self.assertEqual(len(subjects), 2)
        end = folders[0].path / "certs/ca.crt"
        pki.openssl("x509", "-in", end, "-noout", "-checkend", str(88 * 86400))
        with self.assertRaises(RuntimeError):
            pki.openssl("x509", "-in", end, "-noout", "-checkend", str(91 * 86400))

    def test_init_keeps_what_is_there(self):
        """A second init leaves the authority that is there as it is."""
        folder = self.folder()
        folder.run("ca", "init")
        before = (folder.path / "certs/ca.crt").read_bytes(), (folder.path / "certs/ca.key").read_bytes()
        folder.run("ca", "init", expect=None)
        self.assertEqual(before, ((folder.path / "certs/ca.crt").read_bytes(),
                                  (folder.path / "certs/ca.key").read_bytes()))

    def test_status(self):
        """ca status shows the fingerprint that openssl shows, and exits 1 or 2 when there is no authority."""
        folder = self.folder()
        self.assertIn(folder.run("ca", "status", expect=None).code, (1, 2))
        folder.run("ca", "init")
        fingerprint = pki.openssl("x509", "-in", folder.path / "certs/ca.crt", "-noout", "-fingerprint", "-sha256")
        digits = fingerprint.decode().strip().split("=")[1].replace(":", "").lower()
        self.assertIn(digits, re.sub(r"[: ]", "", folder.run("ca", "status").out).lower())
        status = folder.rows("ca", "status")[0]
        self.assertIn(digits, re.sub(r"[: ]", "", str(status)).lower())

    def test_export(self):
        """ca export writes PEM, DER and a .mobileconfig of the same certificate, and never the key."""
        folder = self.folder()
        folder.run("ca", "init")
        pem = (folder.path / "certs/ca.crt").read_text()
        der = ssl.PEM_cert_to_DER_cert(pem)
        key = (folder.path / "certs/ca.key").read_text().splitlines()[1]
        self.assertEqual(ssl.PEM_cert_to_DER_cert(folder.run("ca", "export", "--format", "pem").out), der)
        self.assertEqual(folder.run("ca", "export", "--format", "der", binary_output=True).out, der)
        folder.run("ca", "export", "--format", "mobileconfig", "-o", "t.mobileconfig")
        profile = plistlib.loads((folder.path / "t.mobileconfig").read_bytes())
        payload = profile["PayloadContent"][0]
        self.assertEqual((payload["PayloadType"], payload["PayloadContent"]), ("com.apple.security.root", der))
        for form in ("pem", "der", "mobileconfig"):
            out = folder.run("ca", "export", "--format", form, binary_output=True).out
            self.assertNotIn(b"PRIVATE KEY", out)
            self.assertNotIn(key.encode(), out)

    def test_a_pair_that_is_there_is_used(self):
        """A pair that openssl made is used as it is."""
        def bring(proxy):
            certs = proxy.path / "certs"
            certs.mkdir(mode=0o700)
            pki.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", certs / "ca.key", "-out",
                        certs / "ca.crt", "-days", "30", "-subj", "/CN=Brought along",
                        "-addext", "keyUsage=critical,keyCertSign,cRLSign")
            (certs / "ca.key").chmod(0o600)
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, before_start=bring)
        server = self.tls_origin(NAME)
        with proxy.tunnel(NAME, server.port) as wire:
            self.assertIn("Brought along", str(wire.sock.getpeercert()["issuer"]))


class Passthrough(LoopbackTest):
    def test_passthrough(self):
        """TLS-61: A host under tls.passthrough keeps its own certificate, and its flow says so."""
        server = self.tls_origin(NAME)
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"tls": {"passthrough": [NAME]}})
        context = ssl.create_default_context(cafile=str(pki.shared().roots))
        with proxy.tunnel(NAME, server.port, context=context) as wire:
            self.assertEqual(wire.request("GET", "/through", f"{NAME}:{server.port}").status, 200)
        flow = eventually(lambda: [flow for flow in proxy.flows() if flow["port"] == server.port])[0]
        self.assertEqual(flow["treatment"], "passthrough")
