"""The life of the authority: rotated, destroyed, locked by a passphrase, limited, in a token, one for each case."""

import datetime
import os
import pathlib
import plistlib
import pty
import re
import select
import shutil
import signal
import ssl
import stat
import subprocess
import time

import pki
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from harness import Folder, LoopbackTest, binary, environment_with, eventually

NAME = "origin.example"
ENCRYPTED = "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so")


class Authority(LoopbackTest):
    """What the suites below share."""

    weight = 2

    def folder(self, **ca):
        folder = Folder(config={"ca": ca})
        self.addCleanup(folder.close)
        return folder

    def file(self, folder, name):
        return folder.path / "certs" / name

    def certificate(self, folder, name="ca.crt"):
        return x509.load_pem_x509_certificate(self.file(folder, name).read_bytes())

    def certificates(self, folder, *arguments):
        return x509.load_pem_x509_certificates(folder.run("ca", "export", *arguments).out.encode())

    def secret(self, folder, name, text, mode=0o600):
        file = folder.write(name, text)
        file.chmod(mode)
        return file

    def leaf(self, proxy, port, authority, name=NAME):
        """The leaf that a device gets which trusts `authority` alone; an SSLError if it is another's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=authority if isinstance(authority, str) else authority.read_text())
        with proxy.tunnel(name, port, context=context) as wire:
            return x509.load_der_x509_certificate(wire.sock.getpeercert(binary_form=True))

    def verify(self, leaf, authority, name=NAME):
        policy = PolicyBuilder().store(Store([authority])).time(datetime.datetime.now(datetime.UTC))
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [])

    def at_terminal(self, folder, *arguments, answers, wait=60):
        """A command with a terminal, on which `answers` are typed in as questions come: exit code and what was shown."""
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(folder.path)
            os.execve(binary(), [str(binary()), *arguments], environment_with())
        shown, asked, answers, deadline = b"", 0, list(answers), time.monotonic() + wait
        try:
            while time.monotonic() < deadline:
                if select.select([terminal], [], [], 0.1)[0]:
                    try:
                        part = os.read(terminal, 4096)
                    except OSError:
                        break
                    if not part:
                        break
                    shown += part
                elif answers and shown[asked:].rstrip().endswith((b":", b"]")):
                    # what is asked for silently is asked once echoing is off
                    asked = len(shown)
                    os.write(terminal, answers.pop(0).encode() + b"\n")
            else:
                os.kill(process, signal.SIGKILL)
        finally:
            os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode("utf-8", "replace")


class Rotation(Authority):
    def test_both_are_exported(self):
        """After ca rotate, PEM and profile hold the new certificate first and then the old; the others name the old one."""
        folder = self.folder()
        folder.run("ca", "init")
        old, old_key = self.certificate(folder), self.file(folder, "ca.key").read_bytes()
        said = folder.run("ca", "rotate").out
        new = self.certificate(folder)
        self.assertNotEqual(old.subject, new.subject)
        self.assertIn("next start" if "running" in said else "devices", said)
        self.assertEqual(self.certificates(folder, "--format", "pem"), [new, old])
        self.assertEqual(self.certificate(folder, "previous.crt"), old)
        self.assertEqual(self.file(folder, "previous.key").read_bytes(), old_key)
        for name in ("ca.crt", "ca.key", "previous.crt", "previous.key"):
            self.assertEqual(stat.S_IMODE(self.file(folder, name).stat().st_mode), 0o600)
        folder.run("ca", "export", "--format", "mobileconfig", "-o", "t.mobileconfig")
        payloads = plistlib.loads((folder.path / "t.mobileconfig").read_bytes())["PayloadContent"]
        self.assertEqual([x509.load_der_x509_certificate(each["PayloadContent"]) for each in payloads], [new, old])
        self.assertEqual(len({each["PayloadUUID"] for each in payloads}), 2)
        done = folder.run("ca", "export", "--format", "der", "-o", "t.der")
        self.assertOneClearLine(done.err, "previous.crt")
        self.assertEqual(x509.load_der_x509_certificate((folder.path / "t.der").read_bytes()), new)
        (folder.path / "android").mkdir()
        folder.run("ca", "export", "--format", "android", "-o", "android")
        for file in (folder.path / "android").iterdir():
            hashed = pki.openssl("x509", "-in", file, "-noout", "-subject_hash_old").decode().strip()
            self.assertEqual(file.name, f"{hashed}.0")
        self.assertEqual(len(list((folder.path / "android").iterdir())), 2)

    def test_status(self):
        """ca status shows both, and how long each has."""
        folder = self.folder()
        folder.run("ca", "init")
        old = folder.rows("ca", "status")[0]
        self.assertNotIn("previous", old)
        folder.run("ca", "rotate")
        status = folder.rows("ca", "status")[0]
        self.assertEqual(status["previous"]["fingerprint"], old["fingerprint"])
        self.assertNotEqual(status["fingerprint"], old["fingerprint"])
        self.assertIn(old["fingerprint"], folder.run("ca", "status").out)

    def test_again(self):
        """A second rotation drops the first authority, and says so; without one there is nothing to rotate."""
        folder = self.folder()
        self.assertOneClearLine(folder.run("ca", "rotate", expect=2).err, "ca init")
        folder.run("ca", "init")
        first = folder.rows("ca", "status")[0]["subject"]
        folder.run("ca", "rotate")
        second = self.certificate(folder)
        self.assertIn(first, folder.run("ca", "rotate").out)
        self.assertEqual(self.certificate(folder, "previous.crt"), second)
        self.assertEqual(len(self.certificates(folder)), 2)

    def test_cut_short(self):
        """Killed between any two steps of a rotation, the authority is the old one or the new one, whole."""
        folder = self.folder()
        folder.run("ca", "init")
        certs = folder.path / "certs"
        old = {name: (certs / name).read_bytes() for name in ("ca.crt", "ca.key")}
        folder.run("ca", "rotate")
        new = {name: (certs / name).read_bytes() for name in ("ca.crt", "ca.key")}
        both = {"previous.crt": old["ca.crt"], "previous.key": old["ca.key"]}
        made = {"next.crt": new["ca.crt"], "next.key": new["ca.key"]}
        stale = {"previous.crt": new["ca.crt"], "previous.key": new["ca.key"]}
        for what, files, is_new in (
                ("the key is written", {**old, "next.key": made["next.key"]}, False),
                ("the certificate is written", {**old, **made}, True),
                ("over an earlier previous one", {**old, **made, **stale}, True),
                ("the old key is kept", {**old, **made, "previous.key": old["ca.key"]}, True),
                ("the old pair is kept", {**old, **made, **both}, True),
                ("the new key is in place", {"ca.crt": old["ca.crt"], "ca.key": new["ca.key"], **both,
                                             "next.crt": made["next.crt"]}, True),
                ("the new pair is in place", {**new, **both}, True)):
            with self.subTest(what):
                shutil.rmtree(certs)
                certs.mkdir(mode=0o700)
                for name, content in files.items():
                    (certs / name).write_bytes(content)
                    (certs / name).chmod(0o600)
                folder.run("ca", "status")
                left = {file.name: file.read_bytes() for file in certs.iterdir()}
                self.assertEqual(left, {**new, **both} if is_new else old)

    def test_devices_of_both(self):
        """A proxy signs with the new authority, and shows the old one's leaf to a device that knows only that."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, before_start=lambda each: (
            each.run("ca", "init"), shutil.copy(each.path / "certs/ca.crt", each.path / "old.pem"), each.run("ca", "rotate")))
        server = self.tls_origin(NAME)
        new, old = self.certificate(proxy), x509.load_pem_x509_certificate((proxy.path / "old.pem").read_bytes())
        self.verify(self.leaf(proxy, server.port, proxy.path / "certs/ca.crt"), new)

        def as_old():
            try:
                return self.leaf(proxy, server.port, proxy.path / "old.pem")
            except (ssl.SSLError, OSError):
                return None
        leaf = eventually(as_old)
        self.assertIsNotNone(leaf, "the device that knows only the old authority is never served")
        self.verify(leaf, old)

    def test_while_running(self):
        """Rotated under a running proxy, it says that the proxy goes on until its next start, and the proxy does."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        server = self.tls_origin(NAME)
        old = proxy.path / "old.pem"
        shutil.copy(proxy.path / "certs/ca.crt", old)
        self.assertIn("next start", proxy.run("ca", "rotate").out)
        self.leaf(proxy, server.port, old)

    def test_pages(self):
        """The pages for devices give out both certificates in PEM and in the profile, and the new one as /ca.crt."""
        proxy = self.proxy(before_start=lambda each: (each.run("ca", "init"), each.run("ca", "rotate")))
        new, old = self.certificate(proxy), self.certificate(proxy, "previous.crt")

        def page(path):
            with proxy.dial() as wire:
                return wire.request("GET", path, f"127.0.0.1:{proxy.port}").body
        self.assertEqual(x509.load_pem_x509_certificates(page("/ca.pem")), [new, old])
        self.assertEqual(x509.load_der_x509_certificate(page("/ca.crt")), new)
        payloads = plistlib.loads(page("/tidewaiter.mobileconfig"))["PayloadContent"]
        self.assertEqual([x509.load_der_x509_certificate(each["PayloadContent"]) for each in payloads], [new, old])


class Ends(Authority):
    def made_by_openssl(self, folder, *dates):
        certs = folder.path / "certs"
        certs.mkdir(mode=0o700)
        pki.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", certs / "ca.key", "-out", certs / "ca.crt", "-subj", "/CN=Brought along", *dates,
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (certs / "ca.key").chmod(0o600)

    def test_warned(self):
        """Fourteen days before its end run and doctor warn, naming ca rotate; thirty days before they do not."""
        for days, is_near in ((13, True), (30, False)):
            with self.subTest(days=days):
                proxy = self.proxy(before_start=lambda each, days=days: self.made_by_openssl(each, "-days", str(days)))
                said = [line for line in proxy.lines if "ca rotate" in line]
                self.assertEqual(bool(said), is_near, proxy.lines)
                self.assertEqual("ca rotate" in proxy.run("doctor", expect=None).out, is_near)

    def test_expired(self):
        """An expired authority is refused, naming ca rotate, which makes one that is served."""
        folder = self.folder()
        self.made_by_openssl(folder, "-days", "1")
        # LibreSSL and OpenSSL differ in how to make an expired one; all agree on signing it again
        certs = folder.path / "certs"
        index = folder.write("index.txt", "")
        folder.write("ca.cnf", "[ca]\ndefault_ca=a\n[a]\ndatabase=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n"
                     "x509_extensions=e\n[p]\ncommonName=supplied\n[e]\nbasicConstraints=critical,CA:TRUE\n"
                     "keyUsage=critical,keyCertSign\n[req]\ndistinguished_name=n\n[n]\n" % (index, folder.path))
        pki.openssl("req", "-new", "-key", certs / "ca.key", "-subj", "/CN=Over", "-out", folder.path / "r.csr")
        pki.openssl("ca", "-batch", "-notext", "-selfsign", "-config", folder.path / "ca.cnf", "-keyfile", certs / "ca.key",
                    "-startdate", "20240101000000Z", "-enddate", "20240201000000Z",
                    "-in", folder.path / "r.csr", "-out", certs / "ca.crt")
        self.assertOneClearLine(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, "expired", "ca rotate")
        self.assertEqual(folder.run("ca", "status", expect=1).code, 1)
        folder.run("ca", "rotate")
        self.assertEqual(len(self.certificates(folder)), 1, "the one that ended is not exported")
        self.assertNotIn("previous", folder.rows("ca", "status")[0])


class Destruction(Authority):
    def test_all_of_it(self):
        """ca destroy takes keys, certificates and what a crash left of them away, and says what to do on devices."""
        folder = self.folder()
        folder.run("ca", "init")
        folder.run("ca", "rotate")
        self.secret(folder, "certs/ca.key.17.4711", "half a key")
        folder.write("certs/README.md", "the operator's own")
        said = folder.run("ca", "destroy", "--yes").out
        self.assertEqual([file.name for file in (folder.path / "certs").iterdir()], ["README.md"])
        self.assertIn("iOS", said)
        self.assertIn("Android", said)
        folder.run("ca", "status", expect=1)
        folder.run("ca", "destroy", expect=1)
        folder.run("ca", "init")

    def test_asks(self):
        """On a terminal it asks first, and anything but yes keeps the authority."""
        folder = self.folder()
        folder.run("ca", "init")
        code, shown = self.at_terminal(folder, "ca", "destroy", answers=["no"])
        self.assertEqual(code, 1, shown)
        self.assertTrue(self.file(folder, "ca.key").exists())
        code, shown = self.at_terminal(folder, "ca", "destroy", answers=["yes"])
        self.assertEqual(code, 0, shown)
        self.assertFalse(self.file(folder, "ca.key").exists())

    def test_in_use(self):
        """While a proxy is running it refuses."""
        proxy = self.proxy()
        self.assertOneClearLine(proxy.run("ca", "destroy", "--yes", expect=1).err, "running", "tidewaiter stop")
        self.assertTrue(self.file(proxy, "ca.key").exists())


class Passphrase(Authority):
    def test_from_a_file(self):
        """With ca.passphrase_file the key is encrypted, by more than half a million rounds, and the proxy serves."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"ca": {"passphrase_file": "pass"}},
                           before_start=lambda each: self.secret(each, "pass", "correct horse\n"))
        key = self.file(proxy, "ca.key").read_bytes()
        self.assertTrue(key.decode().startswith(ENCRYPTED))
        load_pem_private_key(key, b"correct horse")
        with self.assertRaises(ValueError):
            load_pem_private_key(key, b"correct horse\n")
        dump = pki.openssl("asn1parse", "-in", self.file(proxy, "ca.key")).decode()
        self.assertIn("hmacWithSHA256", dump)
        self.assertIn("aes-256-cbc", dump)
        rounds = [int(number, 16) for number in re.findall(r"INTEGER\s+:([0-9A-F]+)", dump)]
        self.assertGreaterEqual(max(rounds), 600_000)
        server = self.tls_origin(NAME)
        self.leaf(proxy, server.port, proxy.path / "certs/ca.crt")
        proxy.run("ca", "rotate")
        for name in ("ca.key", "previous.key"):
            load_pem_private_key(self.file(proxy, name).read_bytes(), b"correct horse")

    def test_wrong(self):
        """A wrong, missing, empty or readable passphrase file is one clear line."""
        folder = self.folder(passphrase_file="pass")
        self.secret(folder, "pass", "right")
        folder.run("ca", "init")
        for text, mode, word in (("wrong", 0o600, "passphrase"), ("right", 0o644, "chmod 600"), ("\n", 0o600, "1 to 1024")):
            self.secret(folder, "pass", text, mode)
            self.assertOneClearLine(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, word)
        (folder.path / "pass").unlink()
        self.assertOneClearLine(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, "pass")
        self.assertEqual(len(self.certificates(folder)), 1, "the certificate is no secret")

    def test_key_that_lies_open(self):
        """A key that is not encrypted although a passphrase file is set is refused; ca rotate encrypts both."""
        folder = self.folder()
        folder.run("ca", "init")
        folder.config["ca"]["passphrase_file"] = "pass"
        folder.write_config()
        self.secret(folder, "pass", "secret")
        self.assertOneClearLine(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, "not encrypted", "ca rotate")
        folder.run("ca", "rotate")
        for name in ("ca.key", "previous.key"):
            self.assertTrue(self.file(folder, name).read_text().startswith(ENCRYPTED), name)

    def test_at_the_terminal(self):
        """Without a file the passphrase is asked for, unseen, and without a terminal the file's key is named."""
        folder = self.folder()
        code, shown = self.at_terminal(folder, "ca", "init", "--passphrase", answers=["hunter2", "hunter2"])
        self.assertEqual(code, 0, shown)
        self.assertNotIn("hunter2", shown)
        load_pem_private_key(self.file(folder, "ca.key").read_bytes(), b"hunter2")
        self.assertOneClearLine(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, "ca.passphrase_file")
        code, shown = self.at_terminal(folder, "ca", "rotate", answers=["wrong"])
        self.assertEqual(code, 2, shown)
        code, shown = self.at_terminal(folder, "ca", "rotate", answers=["hunter2"])
        self.assertEqual(code, 0, shown)
        for name in ("ca.key", "previous.key"):
            load_pem_private_key(self.file(folder, name).read_bytes(), b"hunter2")
        code, shown = self.at_terminal(folder, "ca", "init", "--passphrase", answers=[])
        self.assertEqual(code, 1, shown)


class Limits(Authority):
    def test_constraints(self):
        """ca.permit: critical name constraints; a leaf inside verifies strictly, a host outside is relayed undecrypted."""
        proxy = self.proxy(hosts={name: "127.0.0.1" for name in ("www.miui.example", NAME)},
                           config={"ca": {"permit": ["*.miui.example"]}})
        authority = self.certificate(proxy)
        limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
        self.assertTrue(limits.critical)
        self.assertEqual({each.value for each in limits.value.permitted_subtrees}, {"miui.example", "tidewaiter.internal"})
        self.assertEqual({str(each.value) for each in limits.value.excluded_subtrees}, {"0.0.0.0/0", "::/0"})
        server = self.tls_origin("www.miui.example", NAME)
        leaf = self.leaf(proxy, server.port, proxy.path / "certs/ca.crt", "www.miui.example")
        self.verify(leaf, authority, "www.miui.example")
        with self.assertRaises(VerificationError):
            self.verify(leaf, authority)
        outside = self.leaf(proxy, server.port, pki.shared().roots)
        self.assertNotEqual(outside.issuer, authority.subject)
        self.leaf(proxy, server.port, proxy.path / "certs/ca.crt", "check.tidewaiter.internal")

    def test_changed(self):
        """When ca.permit is not what the authority was made for, doctor and run say so and name ca rotate."""
        folder = self.folder()
        folder.run("ca", "init")
        folder.config["ca"]["permit"] = ["*.miui.example"]
        folder.write_config()
        for command in (("doctor",), ("ca", "status")):
            self.assertIn("ca rotate", folder.run(*command, expect=None).out)
        folder.run("ca", "rotate")
        self.assertNotIn("ca.permit", folder.run("ca", "status").out)

    def test_words(self):
        """A limit that is none, or no name, is refused with its place."""
        for pattern in ("*", "https://a.example/", "a*.example"):
            folder = self.folder(permit=[pattern])
            self.assertOneClearLine(folder.run("ca", "init", expect=2).err, "tidewaiter.yaml:", "ca.permit")


class Token(Authority):
    """SoftHSM stands in for a token: everything but the hardware is as with one."""

    def setUp(self):
        self.need("softhsm2-util", "pkcs11-tool")
        module = [path for path in MODULES if pathlib.Path(path).exists()]
        if not module:
            self.skipTest("libsofthsm2.so missing")
        self.module = module[0]

    def token(self, **ca):
        """A folder with a token of its own, which holds an EC and an RSA key."""
        folder = self.folder(pkcs11=f"pkcs11:token=audit;object=ca?pin-source=file:pin&module-path={self.module}", **ca)
        (folder.path / "tokens").mkdir()
        folder.write("softhsm2.conf", f"directories.tokendir = {folder.path}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(folder.path / "softhsm2.conf")}
        self.secret(folder, "pin", "4711\n")
        self.tool("softhsm2-util", "--init-token", "--free", "--label", "audit", "--pin", "4711", "--so-pin", "12345678")
        self.make_key("ca", "EC:prime256v1", "01")
        return folder

    def tool(self, *command):
        subprocess.run(command, env=environment_with(self.environment), check=True, capture_output=True, timeout=60)

    def make_key(self, label, kind, number):
        self.tool("pkcs11-tool", "--module", self.module, "--token-label", "audit", "--login", "--pin", "4711",
                  "--keypairgen", "--key-type", kind, "--usage-sign", "--label", label, "--id", number)

    def test_signs(self):
        """The key stays in the token: the first run signs its certificate there, and each leaf."""
        folder = self.token()
        folder.run("ca", "init", environment=self.environment)
        self.assertNotIn("PRIVATE", self.file(folder, "ca.key").read_text())
        self.assertNotIn("4711", self.file(folder, "ca.key").read_text())
        config = {**folder.config, "upstream": {**folder.config["upstream"], "hosts": {NAME: "127.0.0.1"}}}
        proxy = self.proxy(path=folder.path, config=config, environment=self.environment)
        server = self.tls_origin(NAME)
        leaf = self.leaf(proxy, server.port, proxy.path / "certs/ca.crt")
        self.verify(leaf, self.certificate(proxy))
        self.assertIn("token", proxy.run("ca", "status", environment=self.environment).out)

    def test_refusals(self):
        """A key that is not there, a wrong PIN and a token of another's key are told in words, and nothing is made."""
        folder = self.token()
        folder.config["ca"]["pkcs11"] = folder.config["ca"]["pkcs11"].replace("object=ca", "object=none")
        folder.write_config()
        done = folder.run("ca", "init", expect=2, environment=self.environment)
        self.assertIn("pkcs11-tool", done.err)
        self.assertFalse(self.file(folder, "ca.crt").exists())
        folder.config["ca"]["pkcs11"] = folder.config["ca"]["pkcs11"].replace("object=none", "object=ca")
        folder.write_config()
        self.secret(folder, "pin", "0000")
        folder.run("ca", "init", expect=2, environment=self.environment)
        self.secret(folder, "pin", "4711", 0o644)
        self.assertIn("chmod 600", folder.run("ca", "init", expect=2, environment=self.environment).err)

    def test_rotation(self):
        """Another key in the token, named in the configuration, is rotated to; the same key is not."""
        folder = self.token()
        folder.run("ca", "init", environment=self.environment)
        old = self.certificate(folder)
        self.assertIn("this CA's already", folder.run("ca", "rotate", expect=2, environment=self.environment).err)
        self.make_key("second", "rsa:2048", "02")
        folder.config["ca"]["pkcs11"] = folder.config["ca"]["pkcs11"].replace("object=ca", "object=second")
        folder.write_config()
        self.assertIn("ca rotate", folder.run("run", "-c", "tidewaiter.yaml", expect=2, environment=self.environment).err)
        folder.run("ca", "rotate", environment=self.environment)
        self.assertEqual(self.certificates(folder), [self.certificate(folder), old])

    def test_pin_elsewhere(self):
        """The PIN may be in ca.passphrase_file, but not in the configuration itself."""
        folder = self.token(passphrase_file="pin")
        folder.config["ca"]["pkcs11"] = f"pkcs11:token=audit;object=ca?module-path={self.module}"
        folder.write_config()
        folder.run("ca", "init", environment=self.environment)
        folder.config["ca"]["pkcs11"] = "pkcs11:token=audit;object=ca?pin-value=4711"
        folder.write_config()
        said = folder.run("ca", "status", expect=2, environment=self.environment).err
        self.assertOneClearLine(said, "ca.pkcs11", "0600")


class PerCase(Authority):
    def test_life(self):
        """Each case has an authority of its own, whose key is destroyed when the case is sealed."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"ca": {"per_case": True}})
        server = self.tls_origin(NAME)
        own = proxy.path / "certs/cases/case"
        self.leaf(proxy, server.port, own / "ca.crt")
        self.assertFalse(self.file(proxy, "ca.crt").exists())
        first = x509.load_pem_x509_certificate((own / "ca.crt").read_bytes())
        self.assertEqual(self.certificates(proxy, "--case", "case"), [first])
        proxy.stop()
        self.assertEqual([file.name for file in own.iterdir()], ["ca.crt"])
        self.assertIn("sealed", proxy.run("ca", "status", "--case", "case").out)
        proxy.start("--case", "second")
        second = x509.load_pem_x509_certificate((proxy.path / "certs/cases/second/ca.crt").read_bytes())
        self.assertNotEqual(first.subject, second.subject)
        self.assertEqual(self.certificates(proxy), [second], "the newest, if no case is named")

    def test_continued(self):
        """A case that is continued after a crash has the authority that its devices know."""
        proxy = self.proxy(config={"ca": {"per_case": True}})
        own = proxy.path / "certs/cases/case/ca.crt"
        before = own.read_bytes()
        proxy.kill()
        proxy.start("--case", "case")
        self.assertEqual(own.read_bytes(), before)

    def test_sealed_after_crash(self):
        """evidence seal destroys the key of a crashed case's authority, and of no case elsewhere of the same name."""
        proxy = self.proxy(config={"ca": {"per_case": True}})
        own = proxy.path / "certs/cases/case"
        proxy.kill()
        elsewhere = proxy.path / "elsewhere/case"
        shutil.copytree(proxy.case, elsewhere)
        proxy.run("evidence", "seal", str(elsewhere))
        self.assertTrue((own / "ca.key").exists())
        proxy.run("evidence", "seal", "case")
        self.assertEqual([file.name for file in own.iterdir()], ["ca.crt"])
        (own / "ca.key").write_text("left by a sealer that was killed")
        proxy.run("evidence", "seal", "case", expect=2)
        self.assertFalse((own / "ca.key").exists())

    def test_beforehand(self):
        """A case's authority can be made before the case, for devices to be ready; each needs its case named."""
        folder = self.folder(per_case=True)
        self.assertOneClearLine(folder.run("ca", "init", expect=2).err, "--case")
        folder.run("ca", "init", "--case", "case")
        made = (folder.path / "certs/cases/case/ca.crt").read_bytes()
        proxy = self.proxy(path=folder.path, config=folder.config)
        self.assertEqual((proxy.path / "certs/cases/case/ca.crt").read_bytes(), made)
        for name in ("../case", ".", "a/b"):
            folder.run("ca", "init", "--case", name, expect=2)

    def test_destroyed(self):
        """ca destroy takes all cases' authorities, or the one that is named."""
        folder = self.folder(per_case=True)
        for name in ("one", "two", "three"):
            folder.run("ca", "init", "--case", name)
        folder.run("ca", "destroy", "--case", "one")
        self.assertFalse((folder.path / "certs/cases/one").exists())
        self.assertTrue((folder.path / "certs/cases/two/ca.key").exists())
        folder.run("ca", "destroy")
        self.assertFalse((folder.path / "certs/cases").exists())

    def test_needs_per_case(self):
        """--case means nothing where one authority serves all cases, and says so."""
        folder = self.folder()
        self.assertOneClearLine(folder.run("ca", "init", "--case", "case", expect=2).err, "ca.per_case")
