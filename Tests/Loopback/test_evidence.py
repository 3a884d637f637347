"""Both verifiers on cases that the real binary recorded: tampered with, crashed, signed by others."""

import importlib.util
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

from harness import REPOSITORY, LoopbackTest, binary, environment_with

NAME = "origin.example"


def load(name):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / f"Tests/Evidence/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Verifiers(LoopbackTest):
    weight = 3

    def setUp(self):
        self.need("openssl", "zstd")
        self.server = self.tls_origin(NAME)

    def second(self, case, *arguments):
        done = subprocess.run([sys.executable, REPOSITORY / "docs/verify/verify.py", case, *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0 if done.stdout.strip() == "INTACT" else 1, done.stderr)
        return done.stdout.strip()

    def first(self, proxy, case, *arguments):
        return proxy.run("evidence", "verify", case, *arguments, expect=None).out.splitlines()[-1]

    def recorded(self):
        """A proxy that has recorded a few exchanges with findings, bodies and wire, and goes on."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"case": {"wire": True}})
        for number in range(3):
            proxy.fetch(NAME, self.server.port, f"/echo?imei=490154203237518&n={number}", "POST", os.urandom(9_000))
            proxy.flow_of(f"n={number}")
        return proxy

    def test_tampering(self):
        """Of tampered cases both verifiers catch every one, in the same words."""
        done = subprocess.run(
            [sys.executable, REPOSITORY / "Tests/Evidence/tamper.py", "--count", "150", "--binary", binary()],
            capture_output=True, text=True, env=environment_with())
        self.assertEqual(done.returncode, 0, done.stdout[-4_000:] + done.stderr[-2_000:])

    def test_kills(self):
        """Killed at random moments and gone on with, a case has all that a tree head acknowledged."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"case": {"wire": True}})
        _, problems = load("crash").kills(proxy, self.server.port, 4, 7)
        self.assertEqual(problems, [])

    def test_second_writer(self):
        """A second run on a case that is being recorded is refused, and changes nothing in it."""
        proxy = self.recorded()
        code, said = load("crash").second_writer(proxy)
        self.assertEqual(code, 2)
        self.assertOneClearLine(said, "case", "another")
        proxy.stop()
        self.assertEqual(self.first(proxy, "case"), "INTACT")

    def test_recorded(self):
        """What the product records is right to both verifiers, open and sealed, and signed by the key of case.dir."""
        proxy = self.recorded()
        copy = proxy.path / "cases/open"
        shutil.copytree(proxy.case, copy)
        for said in (self.first(proxy, "open"), self.second(copy)):
            self.assertRegex(said, "INTACT|INCOMPLETE")
        proxy.stop()
        self.assertEqual((self.first(proxy, "case"), self.second(proxy.case)), ("INTACT", "INTACT"))
        text = proxy.run("evidence", "verify", "case").out
        signer = re.search("signed by the key with SHA-256 ([0-9a-f]{64})", text).group(1)
        other = "0" * 64
        self.assertEqual((self.first(proxy, "case", "--signer", signer), self.second(proxy.case, "--signer", signer)), ("INTACT", "INTACT"))
        self.assertEqual((self.first(proxy, "case", "--signer", other), self.second(proxy.case, "--signer", other)),
                         ("ALTERED (signer)", "ALTERED (signer)"))
        row = json.loads(proxy.run("evidence", "verify", "case", "--json").out)
        self.assertEqual(set(row), set("summary sealed lines last_hash timestamp checks".split()))
        self.assertTrue({"chain", "heads", "bodies", "findings", "case", "signature", "manifest", "wire"} <= {check["name"] for check in row["checks"]})
        both = proxy.run("evidence", "verify", "case", str(copy), "--json", expect=None).out.splitlines()
        self.assertEqual(len(both), 2)

    def test_bytes(self):
        """A bit flipped anywhere in a sealed case of the product's is found by both."""
        proxy = self.recorded()
        proxy.stop()
        chance = random.Random(3)
        files = sorted(file for file in proxy.case.rglob("*") if file.is_file() and not file.name.startswith("flows.sqlite"))
        for file in chance.sample(files, min(12, len(files))):
            whole = file.read_bytes()
            changed = bytearray(whole)
            changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            file.write_bytes(changed)
            ours, theirs = self.first(proxy, "case"), self.second(proxy.case)
            file.write_bytes(whole)
            with self.subTest(str(pathlib.Path(file).relative_to(proxy.case))):
                self.assertNotEqual(ours, "INTACT")
                self.assertEqual(ours.split(" (")[0], theirs.split(" (")[0])
        self.assertEqual(self.first(proxy, "case"), "INTACT")
