"""The index of a case: words of contents as they were meant, and rows that are what the log says."""

import gzip
import json
import os
import shutil
import sqlite3

import pki
from harness import LoopbackTest, Proxy
from origins import Origin

NAME = "origin.example"
ASKED = gzip.compress(json.dumps({"reading": {"station": "Keelung-lighthouse", "tide": "springhighwater"}}).encode())
ANSWERED = gzip.compress(json.dumps({"note": "neap\u2011tide", "harbour": "\u57fa\u9686\u6e2f"}).encode())
PACKED = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]


def answer(exchange):
    exchange.body()
    exchange.reply(body=ANSWERED, fields=PACKED)


class Searching(LoopbackTest):
    """One sealed case, made once: each test that changes something works on a copy."""

    weight = 2

    @classmethod
    def setUpClass(cls):
        server = cls.enterClassContext(Origin(answer, leaf=pki.shared().leaf(NAME)))
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.shared.fetch(NAME, server.port, "/packed", "POST", ASKED, PACKED)
        cls.shared.fetch(NAME, server.port, "/plain?imei=490154203237518", fields=[("X-Note", "quayside")])
        cls.recording = cls.shared.flows("text:springhighwater")
        cls.shared.stop()

    def paths(self, *words, case="case"):
        return sorted(flow["url"].rpartition("/")[2] for flow in self.shared.rows("flows", *words, "--case", case))

    def copy(self):
        name = f"copy-{self._testMethodName.replace('_', '-')}"
        target = self.shared.path / "cases" / name
        shutil.copytree(self.shared.case, target)
        return name, target

    def test_text(self):
        """`text:` finds words of gzip JSON, asked or answered, of any script, and of heads; what is not there it does not find."""
        for words, paths in (
                ("text:springhighwater", ["packed"]), ("text:SPRINGhighwater", ["packed"]), ("text:springhigh*", ["packed"]),
                ("text:Keelung+lighthouse", ["packed"]), ("text:lighthouse+Keelung", []), ("text:springhigh", []),
                ("text:\u57fa\u9686", ["packed", "plain?imei=490154203237518"]), ("text:\u9ad8\u96c4", []),
                ("text:quayside", ["plain?imei=490154203237518"]), ("text:490154203237518", ["plain?imei=490154203237518"])):
            with self.subTest(words):
                self.assertEqual(self.paths(words), paths)
        self.assertEqual(self.paths("text:neap*", "method:POST"), ["packed"])
        self.assertEqual(len(self.recording), 1, "while it was being recorded")

    def test_reindex(self):
        """An index that was removed, damaged or altered is made anew from the log, and then compares equal to one made so."""
        name, target = self.copy()
        index = target / "flows.sqlite"
        flows, findings = self.paths(case=name), self.shared.rows("findings", "--case", name)
        self.assertTrue(findings)
        same = self.shared.run("evidence", "reindex", name, "--check")
        self.assertIn("is what the log says", same.out)

        def remove():
            index.unlink()

        def empty():
            index.write_bytes(b"")

        def damage():
            index.write_bytes(os.urandom(4_096) + index.read_bytes()[4_096:])

        for harm in (remove, empty, damage):
            with self.subTest(harm.__name__):
                harm()
                self.assertEqual(self.paths(case=name), flows)
                self.assertEqual(self.paths("text:springhighwater", case=name), ["packed"])
                self.assertEqual(self.shared.rows("findings", "--case", name), findings)
                self.shared.run("evidence", "reindex", name, "--check")
        with sqlite3.connect(index) as rows:
            rows.execute("UPDATE finding SET seq = seq + 1000000")
        rows.close()
        differs = self.shared.run("evidence", "reindex", name, "--check", expect=1)
        self.assertIn("finding", differs.out)
        self.assertIn("2 flows", self.shared.run("evidence", "reindex", name).out)
        self.shared.run("evidence", "reindex", name, "--check")
        self.assertEqual(self.shared.rows("findings", "--case", name), findings)
        self.assertIn("INTACT", self.shared.run("evidence", "verify", name).out)
