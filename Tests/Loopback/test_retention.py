"""Contents that are removed on purpose: by hand or by themselves, said in the case, and to both verifiers no alteration."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

from harness import REPOSITORY, LoopbackTest, eventually, lines_of

NAME = "origin.example"
JSON = [("Content-Type", "application/json")]
TELLING = b'{"imei":"490154203237518"}'
SYLLABLES = "tide pool ebb neap quay spring harbour moor swell drift reef buoy".split()


def silent(size):
    """Text in which nothing is found, and which is another each time: what is opaque would be a finding."""
    chance = random.Random(os.urandom(16))
    return " ".join("".join(chance.choices(SYLLABLES, k=2)) for _ in range(size // 10)).encode()


def second(case):
    """The word of the verifier that has no code of ours."""
    done = subprocess.run(
        [sys.executable, REPOSITORY / "docs/verify/verify.py", case], capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or done.stderr


def files_of(case):
    return {path.relative_to(case): path.read_bytes() for path in case.rglob("*")
            if path.is_file() and not path.name.startswith("flows.sqlite")}


def purges_of(case):
    return [event for event in map(json.loads, lines_of(case)) if event["type"] == "purged"]


class RetentionTest(LoopbackTest):
    def assertIntact(self, folder, case):
        self.assertEqual(folder.run("evidence", "verify", case).out.splitlines()[-1], "INTACT")
        self.assertEqual(second(case), "INTACT")

    def recorded(self, **case):
        """A proxy that has recorded one exchange with a finding and one without, and goes on."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"case": {"wire": True, **case}})
        self.send(proxy)
        return proxy

    def send(self, proxy):
        proxy.fetch(NAME, self.server.port, "/echo?telling", "POST", TELLING, JSON)
        proxy.fetch(NAME, self.server.port, "/echo?silent", "POST", silent(9_000))
        return proxy.flow_of("telling"), proxy.flow_of("silent")


class Purging(RetentionTest):
    """`evidence purge` of cases in each state."""

    weight = 3

    def setUp(self):
        self.need("openssl", "zstd")
        self.server = self.tls_origin(NAME)

    def test_sealed(self):
        """Of a sealed case the log stays as it was and purges.ndjson says, signed, what went; it verifies, unless that is altered."""
        proxy = self.recorded()
        proxy.stop()
        before, flows = files_of(proxy.case), proxy.flows()
        dry = json.loads(proxy.run("evidence", "purge", "case", "--keep-findings", "--dry-run", "--json").out)
        self.assertEqual((dry["removed"], dry["flows"]), (False, 1))
        self.assertEqual(files_of(proxy.case), before)
        row = json.loads(proxy.run("evidence", "purge", "case", "--keep-findings", "--yes", "--json").out)
        self.assertEqual(row, {**dry, "removed": True})
        self.assertIntact(proxy, proxy.case)
        after = files_of(proxy.case)
        gone = set(before) - set(after)
        self.assertEqual(set(after) - set(before), {pathlib.Path("purges.ndjson")})
        self.assertEqual({path: before[path] for path in after if path in before}, {path: after[path] for path in before if path in after})
        self.assertEqual(len(gone), row["contents"] + row["wire_files"])
        purge = json.loads((proxy.case / "purges.ndjson").read_text())
        self.assertEqual({path.name for path in gone if path.parts[0] == "bodies"}, set(purge["contents"]))
        self.assertIn("without findings", purge["reason"])
        self.assertTrue(any(TELLING in zstd(proxy.case / path) for path in after if path.parts[0] == "bodies"))
        self.assertEqual(proxy.flows(), flows)
        row = json.loads(proxy.run("evidence", "purge", "case", "--yes", "--json").out)
        self.assertGreater(row["contents"], 0)
        self.assertIntact(proxy, proxy.case)
        whole = (proxy.case / "purges.ndjson").read_bytes()
        self.assertEqual(whole.count(b"\n"), 2)
        (proxy.case / "purges.ndjson").write_bytes(whole.replace(b"command:", b"commend:", 1))
        self.assertIn("ALTERED", proxy.run("evidence", "verify", "case", expect=1).out)
        self.assertIn("ALTERED", second(proxy.case))
        (proxy.case / "purges.ndjson").write_bytes(whole.splitlines(keepends=True)[0])
        self.assertIn("ALTERED", proxy.run("evidence", "verify", "case", expect=1).out)
        self.assertIn("ALTERED", second(proxy.case))

    def test_other_key(self):
        """A sealed case is purged only by the installation that sealed it."""
        proxy = self.recorded()
        proxy.stop()
        stranger = self.proxy()
        stranger.stop()
        before = files_of(proxy.case)
        refused = stranger.run("evidence", "purge", proxy.case, "--yes", expect=None)
        self.assertNotEqual(refused.code, 0)
        self.assertOneClearLine(refused.err, "key")
        self.assertEqual(files_of(proxy.case), before)

    def test_killed(self):
        """Of a case that is not sealed the log says what went; it verifies, is gone on with, and verifies sealed."""
        proxy = self.recorded()
        _, silent = self.send(proxy)
        proxy.kill()
        proxy.run("evidence", "purge", "case", "--flow", silent["flow"], "--yes")
        self.assertIntact(proxy, proxy.case)
        self.assertEqual([(purge["flows"], "1 flows by name" in purge["reason"]) for purge in purges_of(proxy.case)], [(1, True)])
        for purge in purges_of(proxy.case):
            for digest in purge["contents"]:
                self.assertFalse((proxy.case / "bodies" / digest[:2] / digest).exists())
        proxy.start()
        self.send(proxy)
        proxy.stop()
        self.assertIntact(proxy, proxy.case)
        self.assertEqual(len(proxy.flows()), 6)
        self.assertEqual(len(purges_of(proxy.case)), 1)

    def test_recording(self):
        """A case that is being recorded is not purged by hand, which one line says; how much would go is said all the same."""
        proxy = self.recorded()
        refused = proxy.run("evidence", "purge", "case", "--yes", expect=2)
        self.assertOneClearLine(refused.err, "case")
        self.assertEqual(purges_of(proxy.case), [])
        dry = json.loads(proxy.run("evidence", "purge", "case", "--dry-run", "--json").out)
        self.assertGreater(dry["contents"], 0)
        proxy.stop()
        self.assertIntact(proxy, proxy.case)

    def test_small(self):
        """With case.wire the start warns of a case.max_size below four files of wire/; not from there on, nor without wire/."""
        for size, wire, is_warned in (("255MiB", True, True), ("256MiB", True, False), ("255MiB", False, False)):
            with self.subTest(f"{size}, {wire}"):
                proxy = self.proxy(config={"case": {"max_size": size, "wire": wire}})
                said = [line for line in proxy.lines if line.startswith("WARNING")]
                self.assertEqual(["case.max_size of 255 MiB" in line for line in said], [True] * is_warned)
                proxy.stop()

    def test_full(self):
        """With case.max_size contents without findings go while it is recorded, said in the log; it verifies then and sealed."""
        proxy = self.recorded(max_size="1MiB", wire=False)  # its last file would stay, and fill it
        kept = sorted((proxy.case / "bodies").glob("*/*"))
        telling = [path for path in kept if TELLING in zstd(path)]
        self.assertTrue(telling)
        for number in range(200):
            proxy.fetch(NAME, self.server.port, f"/n{number}", "POST", silent(100_000))
            if purges_of(proxy.case):
                break
        purges = eventually(lambda: purges_of(proxy.case))
        self.assertTrue(purges)
        self.assertEqual({purge["reason"] for purge in purges}, {"max_size"})
        self.assertTrue(all(path.exists() for path in telling))
        copy = proxy.path / "cases/copy"
        shutil.copytree(proxy.case, copy)
        self.assertNotIn("ALTERED", proxy.run("evidence", "verify", copy, expect=None).out)
        self.assertNotIn("ALTERED", second(copy))
        proxy.stop()
        self.assertIntact(proxy, proxy.case)


def zstd(path):
    """What a file of bodies/ holds."""
    return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
