#!/usr/bin/env python3
"""Writes the figures into docs/detection.md, between its marks: `document.py [found] [redaction] [blocking] [cost]`.

All but `cost` unless named: that says something of a release build on a quiet machine only.
"""

import argparse
import collections
import datetime
import pathlib
import sys
import tempfile

import corpus as corpora

sys.dont_write_bytecode = True

import environment  # noqa: E402

if __name__ == "__main__":
    environment.enter()

import cost  # noqa: E402
import figures  # noqa: E402
import generate  # noqa: E402
import prove  # noqa: E402
from harness import binary  # noqa: E402
from play import play  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/detection.md"
SEED, COUNT = 20261123, 1500


def write(name, lines):
    """Puts `lines` between the marks of that name."""
    text = PAGE.read_text()
    begin, end = f"<!-- {name}: Tests/Leaks/document.py {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if not after:
        raise SystemExit(f"{PAGE.name} has no marks of {name}")
    PAGE.write_text(before + begin + "\n".join(["", *lines, ""]) + end + after)


def today():
    return datetime.date.today().strftime("%-d %B %Y")


def found(corpora_by_name):
    lines = []
    for name, corpus in corpora_by_name.items():
        run = play(corpus)
        result = run.score()
        whole = result["overall"]
        lines += [f"**{name}**, {today()}: precision {whole['precision']:.3f}, recall {whole['recall']:.3f}, **F1 {whole['f1']:.3f}**; opaque bodies "
                  f"{result['opaque_recall']}; values of no profile {result['unknown_value_recall']}; clean flows reported "
                  f"{round(result['neg_flow_fp_rate'] * result['neg_flows'])} of {result['neg_flows']}; location right {result['location_accuracy']}.", ""]
    lines += ["In what follows an item is one value in one flow, of the made corpus.", "", *figures.markdown(run)]
    write("found", lines)


def verdict_rows(name, corpus, verdicts, is_brief=False):
    counts = collections.Counter()
    for flow in corpus.flows:
        if flow["id"] in verdicts:
            where, label = prove.group(corpus, flow)
            counts[where, "all" if is_brief else label, verdicts[flow["id"]].outcome] += 1
    return [f"| {name} | {where} | {label} | " + " | ".join(str(counts[where, label, outcome]) for outcome in ("redacted", "refused", "same", "wrong")) + " |"
            for where, label in sorted({key[:2] for key in counts})]


HEAD = ["| corpus | bound for | flows | redacted | refused | the same | wrong |", "| --- | --- | --- | --: | --: | --: | --: |"]


def redaction(corpora_by_name):
    lines = [f"{today()}, `prove.py redact`:", "", *HEAD]
    why = collections.Counter()
    for name, corpus in corpora_by_name.items():
        verdicts = prove.redaction(corpus)[1]
        lines += verdict_rows(name, corpus, verdicts)
        why.update(what for verdict in verdicts.values() for what in {problem for problem, _ in verdict.problems})
    said = ", ".join(f"{what} {count}" for what, count in why.most_common()) or "nothing"
    lines += ["", f"What was wrong, by flow: {said}. *Leaked* is what was not found, and so could not be taken out; a *stranger* is a flow with values "
              "of nobody's profile alone.", "", "The same with a rule for responses, the servers' answers holding the phone's values, `prove.py answers`:", "", *HEAD]
    for name, corpus in corpora_by_name.items():
        lines += verdict_rows(name, corpus, prove.answers(corpus)[1], is_brief=True)
    write("redaction", lines)


def blocking(corpora_by_name):
    lines = [f"{today()}, `prove.py sinkhole` and `prove.py refuse`:", "", "| way | connections into the region " + HEAD[0], "| --- | --: " + HEAD[1]]
    for how in ("sinkhole", "refuse"):
        for name, corpus in corpora_by_name.items():
            _, verdicts, connections = prove.blocking(corpus, how)
            lines += [f"| `{how}` | {connections} {row}" for row in verdict_rows(name, corpus, verdicts, is_brief=True)]
    write("blocking", lines)


def costs(_):
    public = corpora.Corpus(corpora.PUBLIC)
    build = "release" if "release" in str(binary()) else "debug"
    write("cost", [f"{today()}, `cost.py`, a {build} build:", "", *cost.cost_of_bodies(public, 32), "", *cost.latency(public, 2000), "", *cost.cost_of_hostile(public)])


def main():
    parts = {"found": found, "redaction": redaction, "blocking": blocking, "cost": costs}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["found", "redaction", "blocking"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        coverage = generate.generate(pathlib.Path(folder), SEED, COUNT).coverage()
        print(f"seed {SEED}: {coverage}")
        by_name = {"the public split": corpora.Corpus(corpora.PUBLIC), f"made, seed {SEED}": corpora.Corpus(folder)}
        for name in options.what:
            parts[name](by_name)
            print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
