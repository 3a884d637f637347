"""What proves something away from its case: bundles, and proofs of one flow."""

import json
import random
import subprocess
import sys

import pki
import tsa
from harness import REPOSITORY, LoopbackTest, Proxy
from identifiers import IMEI, WATCHED
from origins import Origin

OTHER, THIRD = "other.example", "third.example"
VERIFY = REPOSITORY / "docs" / "verify"


class Proofs(LoopbackTest):
    """A sealed case of four flows to three hosts, two of them plain and on one connection."""

    weight = 3

    @classmethod
    def setUpClass(cls):
        leaf = pki.shared().leaf(WATCHED, OTHER)
        watched = cls.enterClassContext(Origin(leaf=leaf, address="127.66.0.1"))
        plain = cls.enterClassContext(Origin(address="127.0.0.3"))
        cls.shared = proxy = cls.enterClassContext(Proxy(hosts={WATCHED: "127.66.0.1", OTHER: "127.0.0.3", THIRD: "127.0.0.3"}))
        proxy.fetch(WATCHED, watched.port, f"/first?imei={IMEI}", "POST", json.dumps({"imei": IMEI}).encode() * 500,
                    [("Content-Type", "application/json")])
        with proxy.dial() as wire:
            for host in (OTHER, THIRD):
                wire.request("GET", f"http://{host}:{plain.port}/{host[0]}", f"{host}:{plain.port}")
        with proxy.tunnel(WATCHED, watched.port) as wire:
            wire.request("GET", "/last", f"{WATCHED}:{watched.port}")
        proxy.stop()

    def script(self, name, *arguments):
        """The last line of a verifier that has no code of ours."""
        done = subprocess.run([sys.executable, VERIFY / name, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        return (done.stdout.splitlines() or [done.stderr])[-1]

    def prove(self, flow, *arguments):
        self.shared.run("evidence", "export", "case", "--proof", flow, "-o", f"{flow}.proof", "--force", *arguments)
        return self.shared.path / f"{flow}.proof"

    def test_bundle(self):
        """tar --zstd makes of a bundle a case that both verifiers call intact; the same case gives the same bytes."""
        said = [self.shared.rows("evidence", "export", "case", "--bundle", "-o", name, "--force")[0] for name in ("a", "b")]
        self.assertEqual(said[0]["sha256"], said[1]["sha256"])
        target = self.shared.path / "unpacked"
        target.mkdir()
        subprocess.run(["tar", "--zstd", "-xf", self.shared.path / "a", "-C", target], check=True)
        self.assertIn("INTACT", self.shared.run("evidence", "verify", target / "case").out)
        self.assertTrue(self.script("verify.py", target / "case").startswith("INTACT"))
        self.assertFalse((target / "case" / "secret").exists())

    def test_proof(self):
        """Each flow's proof is intact by both verifiers and has no host or URL of another."""
        words = {}
        for flow in self.shared.flows():
            proof = self.prove(flow["flow"])
            self.assertIn("INTACT", self.shared.run("evidence", "verify", proof.name).out)
            self.assertEqual(self.script("verify_proof.py", proof), "INTACT")
            words[flow["flow"]] = (flow["url"], proof.read_text())
        for flow, (_, text) in words.items():
            for other, (url, _) in words.items():
                self.assertEqual(url in text, flow == other, (flow, other))
        hosts = {"f-000001": WATCHED, "f-000002": OTHER, "f-000003": THIRD, "f-000004": WATCHED}
        for flow, (_, text) in words.items():
            self.assertEqual([host for host in (WATCHED, OTHER, THIRD) if host in text], [hosts[flow]], flow)

    def test_tampering(self):
        """Both verifiers catch each altered byte of a proof."""
        proof = self.prove("f-000002")
        good = proof.read_bytes()
        sys.path.insert(0, str(VERIFY))
        self.addCleanup(sys.path.remove, str(VERIFY))
        import verify_proof

        def is_intact(data):
            try:
                return bool(list(verify_proof.verify(data, None)))
            except verify_proof.FAILURES:
                return False

        self.assertTrue(is_intact(good))
        for place in range(len(good)):
            self.assertFalse(is_intact(good[:place] + bytes([good[place] ^ 1 << random.randrange(8)]) + good[place + 1:]), place)
        for place in random.sample(range(len(good)), 20):
            proof.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
            said = self.shared.run("evidence", "verify", proof.resolve(), expect=None)
            self.assertNotEqual(said.code, 0, place)
        proof.write_bytes(good)

    def test_stamped(self):
        """Of a time-stamped case a proof has the time-stamp, which openssl takes with the manifest that is in it."""
        authority = tsa.Authority()
        self.addCleanup(authority.close)
        server = tsa.Server(authority)
        self.addCleanup(server.close)
        self.shared.run("evidence", "timestamp", "case", "--tsa", server.url)
        self.addCleanup((self.shared.case / "manifest.tsr").unlink)
        proof = self.prove("f-000001")
        self.assertIn("Time authority", self.shared.run("evidence", "verify", proof.name).out)
        self.assertEqual(self.script("verify_proof.py", proof, "--tsa-ca", authority.roots), "INTACT")
        self.assertIn("ALTERED", self.script("verify_proof.py", proof, "--tsa-ca", authority.other_roots))

    def test_refused(self):
        """What cannot be exported so is a usage error in one line."""
        for arguments, words in ((("--bundle", "--har"), "one format"), (("--proof", "x"), "not a flow"),
                                 (("--bundle", "--share-safe"), "what was recorded")):
            self.assertOneClearLine(self.shared.run("evidence", "export", "case", *arguments, expect=2).err, words)
        self.assertOneClearLine(self.shared.run("evidence", "export", "case", "--proof", "f-999999", expect=1).err, "no such flow")
