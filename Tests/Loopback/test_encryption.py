"""Encryption at rest: a case that shows what it holds to whoever has its key, and to nobody else."""

import json
import pathlib
import secrets
import subprocess
import sys

from harness import LoopbackTest, Proxy
from identifiers import HOSTS, IMEI, OUTSIDE, WATCHED, both_servers, spellings_in

VERIFY = pathlib.Path(__file__).parents[2] / "docs" / "verify" / "verify.py"
NO_KEY = {"TIDEWAITER_CASE_ENCRYPT_KEY": "null"}
JSON = [("Content-Type", "application/json")]


def private(folder, name, text):
    file = folder.write(name, text)
    file.chmod(0o600)
    return file


def contents(case):
    return {path.relative_to(case): path.read_bytes() for path in case.rglob("*") if path.is_file()}


class EncryptionTest(LoopbackTest):
    def encrypted(self, **arguments):
        return self.proxy(
            hosts=HOSTS, config={"case": {"encrypt_key": "case.key"}},
            before_start=lambda folder: private(folder, "case.key", secrets.token_hex(32) + "\n"), **arguments)

    def send(self, proxy, count=1):
        watched, outside = self.servers
        for number in range(count):
            proxy.fetch(WATCHED, watched.port, f"/a?imei={IMEI}&n={number}", "POST", json.dumps({"d": {"imei": IMEI}}).encode(), JSON)
            proxy.fetch(OUTSIDE, outside.port, f"/b{number}", "POST", f"imei={IMEI}&n={number}".encode() * 900)

    def setUp(self):
        self.servers = both_servers(self)

    def assertHidden(self, case):
        self.assertGreater(len(contents(case)), 5)
        for name, data in contents(case).items():
            self.assertEqual(spellings_in(data) + spellings_in(str(name).encode()), [], name)
            for word in (WATCHED, OUTSIDE):
                self.assertNotIn(word.encode(), data, name)

    def test_hidden(self):
        """No file of an encrypted case has a spelling of an identifier or a host, while it is recorded and when it is sealed."""
        proxy = self.encrypted()
        self.send(proxy, 2)
        self.assertEqual(len(proxy.flows()), 4)
        self.assertTrue(proxy.findings())
        self.assertHidden(proxy.case)
        proxy.stop()
        self.assertHidden(proxy.case)
        self.assertFalse((proxy.case / "flows.sqlite").exists())
        self.assertFalse((proxy.case / "findings.ndjson").exists())

    def test_commands(self):
        """Commands read the case with the key of the configuration, or of --key, and say what is missing without."""
        proxy = self.encrypted()
        self.send(proxy)
        proxy.stop()
        flows = proxy.rows("flows")
        self.assertEqual(sorted(flow["host"] for flow in flows), [OUTSIDE, WATCHED])
        self.assertIn("imei", {row["kind"] for row in proxy.rows("findings")})
        with_key = ("--key", proxy.path / "case.key")
        for command in (("flows",), ("findings",), ("show", flows[0]["flow"]), ("evidence", "export", "case", "--har", "-o", "-"),
                        ("report", "case", "-o", "r.html"), ("evidence", "export", "case", "--pcapng", "-o", "-"),
                        ("rules", "test", "--case", "case")):
            with self.subTest(command[0:2]):
                refused = proxy.run(*command, environment=NO_KEY, expect=2)
                self.assertOneClearLine(refused.err, "encrypted", "--key", "case.encrypt_key")
                opened = proxy.run(*command, *with_key, environment=NO_KEY, binary_output=True, expect=None)
                self.assertIn(opened.code, (0, 1), opened.err)
                self.assertNotIn("encrypted", opened.err)
        page = (proxy.path / "r.html").read_text()
        self.assertIn(WATCHED, page)
        har = json.loads(proxy.run("evidence", "export", "case", "--har", "-o", "-").out)
        self.assertTrue(any(IMEI in entry["request"].get("postData", {}).get("text", "") for entry in har["log"]["entries"]))
        private(proxy, "other.key", secrets.token_hex(32))
        for command in (("flows",), ("evidence", "verify", "case")):
            wrong = proxy.run(*command, "--key", "other.key", expect=2)
            self.assertOneClearLine(wrong.err, "another key")
        self.assertOneClearLine(proxy.run("evidence", "reindex", "case", expect=2).err, "memory")
        self.assertOneClearLine(
            proxy.run("evidence", "export", "case", "--proof", flows[0]["flow"], expect=None).err, "encrypted")

    def test_verify(self):
        """With the key all is checked; without it all but the contents, which is said; verify.py agrees; a bundle stays encrypted."""
        proxy = self.encrypted()
        self.send(proxy)
        proxy.stop()
        owner = proxy.run("evidence", "verify", "case")
        self.assertIn("INTACT", owner.out)
        self.assertIn("opened with the key", owner.out)
        stranger = proxy.run("evidence", "verify", "case", environment=NO_KEY)
        self.assertIn("INTACT", stranger.out)
        self.assertIn("its contents were not opened", stranger.out)
        done = subprocess.run([sys.executable, VERIFY, proxy.case], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.splitlines()[-1], "INTACT", done.stdout + done.stderr)
        self.assertIn("not opened", done.stdout)
        description = proxy.case / "case.json"
        whole = description.read_text()
        for changed in (whole.replace("AES-256-GCM", "AES-256-GCN"), whole.replace("hkdf-sha256", "hkdf"), None):
            description.unlink() if changed is None else description.write_text(changed)
            for environment in (None, NO_KEY):
                self.assertIn("ALTERED", proxy.run("evidence", "verify", proxy.case, environment=environment, expect=1).out)
        description.write_text(whole)
        proxy.run("evidence", "export", "case", "--bundle", "-o", "case.tar.zst")
        subprocess.run(["tar", "--zstd", "-xf", "case.tar.zst"], cwd=proxy.path, check=True, timeout=60)
        proxy.run("evidence", "purge", "case", "--yes")
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case", environment=NO_KEY).out)
        done = subprocess.run([sys.executable, VERIFY, proxy.case], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.splitlines()[-1], "INTACT", done.stdout + done.stderr)

    def test_purge_of_wire(self):
        """Where a purge takes wire/ alone from a sealed encrypted case, it verifies with the key, without it and by verify.py; without its line it does not."""
        proxy = self.encrypted()
        proxy.fetch(OUTSIDE, self.servers[1].port, "/nothing", "HEAD")
        proxy.flow_of("/nothing")
        proxy.stop()
        row = json.loads(proxy.run("evidence", "purge", "case", "--yes", "--json").out)
        self.assertEqual((row["contents"], row["wire_files"]), (0, 1))
        self.assertEqual(list((proxy.case / "wire").iterdir()), [])

        def said():
            second = subprocess.run([sys.executable, VERIFY, proxy.case], capture_output=True, text=True, timeout=60).stdout
            outputs = [proxy.run("evidence", "verify", "case", environment=environment, expect=None).out for environment in (None, NO_KEY)]
            return [output.splitlines()[-1] for output in (*outputs, second)]

        self.assertEqual(said(), ["INTACT"] * 3)
        (proxy.case / "purges.ndjson").unlink()
        self.assertEqual([line.split()[0] for line in said()], ["ALTERED"] * 3)

    def test_killed(self):
        """After kill -9 the case goes on with its key; with another, or none, the start is refused and nothing is written."""
        proxy = self.encrypted()
        self.send(proxy)
        proxy.kill()
        before = contents(proxy.case)
        proxy.config["case"]["encrypt_key"] = None
        proxy.write_config()
        self.assertOneClearLine(proxy.run("run", "-c", "tidewaiter.yaml", expect=2).err, "encrypted")
        private(proxy, "other.key", secrets.token_hex(32))
        proxy.config["case"]["encrypt_key"] = "other.key"
        proxy.write_config()
        self.assertOneClearLine(proxy.run("run", "-c", "tidewaiter.yaml", expect=2).err, "another key")
        self.assertEqual(contents(proxy.case), before)
        proxy.config["case"]["encrypt_key"] = "case.key"
        proxy.write_config()
        proxy.start()
        self.send(proxy)
        proxy.stop()
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        self.assertEqual(len(proxy.flows()), 4)
        self.assertHidden(proxy.case)

    def test_passphrase(self):
        """A passphrase in a private file encrypts too; a short one, an open file and no key at all are refused in one line."""
        config = {"case": {"encrypt_key": {"passphrase_file": "words"}}}
        proxy = self.proxy(hosts=HOSTS, config=config,
                           before_start=lambda folder: private(folder, "words", "a tide waits for no man\n"))
        self.send(proxy)
        proxy.stop()
        self.assertHidden(proxy.case)
        self.assertEqual(len(proxy.flows()), 2)
        self.assertOneClearLine(proxy.run("flows", environment=NO_KEY, expect=2).err, "encrypted")
        proxy.config["case"]["name"] = "second"
        for words, mode, said in (("elevenchars", 0o600, "at least 12"), ("a tide waits for no man", 0o644, "words")):
            proxy.write("words", words).chmod(mode)
            proxy.write_config()
            self.assertOneClearLine(proxy.run("run", "-c", "tidewaiter.yaml", expect=2).err, said)
        proxy.config["case"]["encrypt_key"] = "words"
        proxy.write_config()
        (proxy.path / "words").chmod(0o600)
        self.assertOneClearLine(proxy.run("run", "-c", "tidewaiter.yaml", expect=2).err, "32 bytes", "openssl rand")
        self.assertFalse((proxy.path / "cases" / "second").exists())
