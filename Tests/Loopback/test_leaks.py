"""Corpora of labelled flows through the built proxy: what it finds, what it takes out, what it keeps from leaving."""

import pathlib
import sys
import tempfile

from harness import LoopbackTest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Leaks"))

import corpus as corpora  # noqa: E402
import cost  # noqa: E402
import generate  # noqa: E402
import judge  # noqa: E402
import prove  # noqa: E402
from play import play  # noqa: E402

SEED, COUNT = 2014, 300


class Leaks(LoopbackTest):
    """The public split, and a corpus made from the tables of forms, containers and layers."""

    weight = 8

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        generate.generate(pathlib.Path(folder), SEED, COUNT)
        cls.public, cls.made = corpora.Corpus(corpora.PUBLIC), corpora.Corpus(folder)

    def assertFound(self, result, f1):
        mistakes = "\n".join(str(row) for row in (*result["missed"], *result["false_positives"]))
        self.assertGreaterEqual(result["overall"]["precision"], 0.99, mistakes)
        self.assertGreaterEqual(result["overall"]["f1"], f1, mistakes)
        found, count = map(int, result["opaque_recall"].split("/"))
        self.assertEqual(found, count, "opaque bodies")
        self.assertEqual(result["opaque_fp"], 0, "text called opaque")
        self.assertEqual((result["unmapped_kinds"], result["unattributed_findings"]), ({}, 0))

    def assertProven(self, corpus, verdicts, leaks=0.0):
        """No problem, but that what is not found cannot be taken out: `leaks` of the flows with values of the profile."""
        groups = {flow["id"]: prove.group(corpus, flow) for flow in corpus.flows}
        known = {name for name, group in groups.items() if group == ("watched", "leak")}
        unseen = {name for name in known if {what for what, _ in verdicts[name].problems} == {"leaked"}}
        self.assertLessEqual(len(unseen), leaks * len(known), "\n".join(f"{name} {verdicts[name].problems}" for name in sorted(unseen)))
        problems = [f"{name} {corpus.truth[name]['container']} {corpus.truth[name]['transfer']}: {what}: {detail}"
                    for name, verdict in verdicts.items() for what, detail in verdict.problems
                    if name not in unseen and (what, groups[name]) != ("leaked", ("watched", "stranger"))]
        if problems:
            self.fail(f"{len(problems)} problems\n" + "\n".join(problems[:40]))

    def test_truth(self):
        """What the corpora say of themselves is what independent readers find in their bytes."""
        for corpus in (self.public, self.made):
            self.assertEqual(judge.check_truth(corpus), [])

    def test_public_score(self):
        """Of the public split's identifiers nearly all are found, nothing else is, and no opaque body is missed."""
        result = play(self.public).score()
        self.assertFound(result, 0.98)
        found, count = map(int, result["unknown_value_recall"].split("/"))
        self.assertGreaterEqual((found, count), (3, 4))

    def test_made_score(self):
        """So it is with other values, forms, containers and layers."""
        self.assertFound(play(self.made).score(), 0.97)

    def test_redaction(self):
        """Towards the watched region every flow is wholly redacted or refused, none is broken, and no other is touched."""
        for corpus, leaks in ((self.public, 0), (self.made, 0.06)):
            with self.subTest(corpus.folder.name):
                _, verdicts = prove.redaction(corpus)
                self.assertEqual(len(verdicts), len(corpus.flows))
                self.assertProven(corpus, verdicts, leaks)

    def test_answers(self):
        """By a rule for responses, what servers of the watched region answer is redacted, and nobody else's answer is."""
        _, verdicts = prove.answers(self.public)
        problems = {name: verdict.problems for name, verdict in verdicts.items() if verdict.problems}
        self.assertEqual(problems, {})
        self.assertGreater(sum(verdict.outcome == "redacted" for verdict in verdicts.values()), 40)

    def test_blocking(self):
        """A block by region lets no connection into it, in either way of refusing, and every other flow arrives as it was."""
        for corpus in (self.public, self.made):
            for how in ("sinkhole", "refuse"):
                with self.subTest(corpus.folder.name, how=how):
                    _, verdicts, connections = prove.blocking(corpus, how)
                    self.assertEqual(connections, 0)
                    self.assertProven(corpus, verdicts)

    def test_hostile(self):
        """Bombs and bodies made to be slow are over in seconds, in little memory, and nothing dies of them."""
        # what is larger than what may be held is not looked into in redact mode
        for mode, size in (("record", 10 << 20), ("redact", 900_000)):
            for name, _, status, used, grown in cost.of_hostile(self.public, mode, size):
                with self.subTest(name, mode=mode):
                    self.assertIn(status, (200, 451, "refused while it was sent"))
                    # a debug build's seconds; one body's budget of time is a quarter of one, to which comes its way through
                    self.assertLess(used, 6)
                    self.assertLess(grown, 64 << 20)
