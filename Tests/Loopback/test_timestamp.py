"""Time-stamps (RFC 3161) of sealed cases: asked for, kept, checked by openssl, and waited for."""

import json
import shutil
import subprocess

import tsa
from harness import Folder, LoopbackTest, Proxy


class Timestamps(LoopbackTest):
    """One sealed case, and an authority of the tests."""

    weight = 3

    @classmethod
    def setUpClass(cls):
        cls.authority = tsa.Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.shared = cls.enterClassContext(Proxy())
        cls.shared.stop()

    def server(self, kind="good"):
        server = tsa.Server(self.authority, kind)
        self.addCleanup(server.close)
        return server

    def case(self):
        """A copy of the case to do something to."""
        name = self.id().rpartition(".")[2]
        path = self.shared.path / "cases" / name
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.shared.case, path)
        return path

    def check(self, case):
        """openssl's word on a case's time-stamp."""
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", case / "manifest.json", "-in", case / "manifest.tsr", "-CAfile", self.authority.roots],
            capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_good(self):
        """`evidence timestamp` keeps what the authority answers; openssl ts -verify takes it, and the case verifies."""
        case, server = self.case(), self.server()
        said = self.shared.run("evidence", "timestamp", case.name, "--tsa", server.url, "--tsa-ca", self.authority.roots).out
        self.assertIn("CN=Time authority,O=Tests", said)
        self.assertIn(f"below a root of {self.authority.roots}", said)
        self.assertEqual(server.type, "application/timestamp-query")
        self.check(case)
        self.assertEqual((case / "manifest.tsr").stat().st_mode & 0o777, 0o600)
        self.assertIn("INTACT", self.shared.run("evidence", "verify", case.name).out)
        again = self.shared.run("evidence", "timestamp", case.name, "--tsa", server.url, expect=2)
        self.assertOneClearLine(again.err, "is there already", "--force")
        self.shared.run("evidence", "timestamp", case.name, "--tsa", server.url, "--force")
        self.check(case)

    def test_unknown_root(self):
        """An authority below no root of this system is kept and said to be so; below none of --tsa-ca it is refused."""
        case, server = self.case(), self.server()
        refused = self.shared.run(
            "evidence", "timestamp", case.name, "--tsa", server.url, "--tsa-ca", self.authority.other_roots, expect=1)
        self.assertOneClearLine(refused.err, "not below a root")
        self.assertFalse((case / "manifest.tsr").exists())
        row = self.shared.rows("evidence", "timestamp", case.name, "--tsa", server.url)[0]
        self.assertEqual((row["trusted"], row["tsa"]), (False, "CN=Time authority,O=Tests"))
        self.assertIn("who that is was not checked", row["detail"])
        self.check(case)

    def test_verify_roots(self):
        """`verify` says whose time it is; with --tsa-ca there must be one below those roots."""
        case, server = self.case(), self.server()
        none = self.shared.run("evidence", "verify", case.name, "--tsa-ca", self.authority.roots, expect=1)
        self.assertIn("ALTERED (timestamp)", none.out)
        self.assertIn("there is none", none.out)
        self.shared.run("evidence", "timestamp", case.name, "--tsa", server.url)
        unknown = self.shared.run("evidence", "verify", case.name)
        self.assertIn("INTACT", unknown.out)
        self.assertIn("only well-formed", unknown.out)
        known = self.shared.run("evidence", "verify", case.name, "--tsa-ca", self.authority.roots)
        self.assertIn("INTACT", known.out)
        self.assertIn("CN=Time authority,O=Tests", known.out)
        self.assertIn(f"trusted, below a root of {self.authority.roots}", known.out)
        row = self.shared.rows("evidence", "verify", case.name, "--tsa-ca", self.authority.roots)[0]
        self.assertEqual((row["timestamp"]["trusted"], row["timestamp"]["authority"]), (True, "CN=Time authority,O=Tests"))
        other = self.shared.run("evidence", "verify", case.name, "--tsa-ca", self.authority.other_roots, expect=1)
        self.assertIn("ALTERED (timestamp)", other.out)
        (self.shared.path / "empty.pem").write_text("")
        for path in ("empty.pem", "missing.pem"):
            refused = self.shared.run("evidence", "verify", case.name, "--tsa-ca", path, expect=2)
            self.assertOneClearLine(refused.err, "--tsa-ca", path)

    def test_https(self):
        """An authority is asked over TLS; one whose web certificate is below no root of the system's is not."""
        case, server = self.case(), tsa.Server(self.authority, tls=self.authority.web())
        self.addCleanup(server.close)
        refused = self.shared.run("evidence", "timestamp", case.name, "--tsa", server.url, expect=3)
        self.assertOneClearLine(refused.err, server.url, "certificate verify failed")
        self.assertEqual(server.count, 0)
        self.shared.run(
            "evidence", "timestamp", case.name, "--tsa", server.url, environment={"SSL_CERT_FILE": str(self.authority.roots)})
        self.check(case)

    def test_bad_answers(self):
        """What is no right answer is refused in one clear line, and leaves the case as it was."""
        case = self.case()
        before = sorted(path for path in case.rglob("*") if path.name != "tmp")
        for kind, code, words in (
                ("imprint", 1, "message imprint mismatch"), ("nonce", 1, "nonce mismatch"), ("no-nonce", 1, "nonce not returned"),
                ("refused", 1, "no service this day"), ("garbage", 1, "not a time-stamp answer"), ("forged", 1, "signature failure"),
                ("huge", 3, "max resp len exceeded"), ("error", 3, "code=500"), ("type", 3, "unexpected content type"),
                ("redirect", 3, "redirection not enabled"), ("slow", 3, "timeout")):
            with self.subTest(kind):
                server = self.server(kind)
                failed = self.shared.run("evidence", "timestamp", case.name, "--tsa", server.url, expect=code)
                self.assertOneClearLine(failed.err, server.url, words)
                self.assertEqual(server.count, 1)
                self.assertEqual(sorted(path for path in case.rglob("*") if path.name != "tmp"), before)
        for url in ("ftp://127.0.0.1/", "127.0.0.1:1", "http://me@127.0.0.1/"):
            self.assertOneClearLine(
                self.shared.run("evidence", "timestamp", case.name, "--tsa", url, expect=2).err, "not an http or https URL")

    def test_unsealed(self):
        """A case that is not sealed is not time-stamped."""
        case = self.case()
        (case / "manifest.json").unlink()
        failed = self.shared.run("evidence", "timestamp", case.name, "--tsa", self.server().url, expect=1)
        self.assertOneClearLine(failed.err, "not sealed", "evidence seal")

    def test_at_seal(self):
        """With case.tsa a run ends with a time-stamp for its case."""
        server = self.server()
        proxy = self.enterContext(Proxy(config={"case": {"tsa": server.url}}))
        proxy.stop()
        self.assertTrue(any("time-stamped" in line for line in proxy.lines), proxy.lines)
        self.check(proxy.case)

    def test_queue(self):
        """A case whose authority cannot be reached is sealed all the same and waits: for the next run's end, or --pending."""
        server = self.server()
        server.server.server_close()
        proxy = self.enterContext(Proxy(config={"case": {"tsa": server.url}}))
        proxy.stop()
        self.assertTrue(any("waits for a time-stamp" in line for line in proxy.lines), proxy.lines)
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        queue = proxy.path / "cases" / "timestamps.queue"
        self.assertEqual(queue.stat().st_mode & 0o777, 0o600)
        self.assertEqual(json.loads(queue.read_text()), {"case": "case", "tsa": server.url})
        waits = proxy.run("evidence", "timestamp", "--pending", expect=3)
        self.assertIn("waits for a time-stamp", waits.out + waits.err)
        good = self.server()
        queue.write_text(queue.read_text().replace(server.url, good.url))
        proxy.config["case"]["name"] = "second"
        proxy.config["case"]["tsa"] = good.url
        proxy.write_config()
        proxy.start()
        proxy.stop()
        self.check(proxy.case)
        self.check(proxy.path / "cases" / "second")
        self.assertEqual(queue.read_text(), "")
        self.assertEqual(proxy.run("evidence", "timestamp", "--pending").out, "")
