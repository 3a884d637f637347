#!/usr/bin/env python3
"""Redact and block mode over a corpus: `prove.py redact|answers|sinkhole|refuse [--corpus FOLDER]`; exits 1 at any problem."""

import argparse
import base64
import collections
import gzip
import hashlib
import json
import sys

import corpus as corpora

sys.dont_write_bytecode = True

import environment  # noqa: E402

if __name__ == "__main__":
    environment.enter()

from judge import Judge, Verdict  # noqa: E402
from opened import open_json  # noqa: E402
from play import play  # noqa: E402


def group(corpus, flow):
    where = "watched" if corpus.is_watched(flow) else "elsewhere"
    truth = corpus.truth[flow["id"]]
    label = truth["label"]
    # values that are nobody's whom the product was told of: a pattern may or may not know them
    if label == "leak" and not any(item["known"] for item in truth["items"]):
        label = "stranger"
    return where, "clean" if label in ("negative", "innocent") else label


def redaction(corpus, **more):
    """The verdicts of one run in redact mode."""
    run = play(corpus, mode="redact", rules=corpora.REDACT, **more)
    return run, Judge(run).all()


def blocking(corpus, how, **more):
    """The verdicts of one run in block mode, and how many connections the region's origins accepted."""
    run = play(corpus, mode="block", rules=corpora.block_rules(how), **more)
    judge = Judge(run)
    verdicts = {}
    for flow in corpus.flows:
        if flow["id"] not in run.outcomes:
            continue
        if not corpus.is_watched(flow):
            verdicts[flow["id"]] = judge.same(flow)
            continue
        problems = [] if judge.is_refused(flow) else [("not refused", f"status {run.outcomes[flow['id']].status} {run.outcomes[flow['id']].error or ''}")]
        problems += [("dialled", "it arrived")] if run.arrivals(flow) else []
        verdicts[flow["id"]] = Verdict("wrong" if problems else "refused", problems)
    return run, verdicts, run.sink.connections(is_watched=True)


ANSWERS = """\
version: 1
rules:
  - id: identifiers-from-watched-regions
    when: { region: [watched], direction: response, finding: [imei, msisdn, android_id] }
    then: redact
    otherwise: block
"""


def answer(corpus, arrival):
    """A server's configuration for the phone, with the phone's own values in it; every other one is packed."""
    device = corpus.profile["device"]
    values = {"imei": device["imei"][0], "tel": corpus.profile["sim"]["msisdn"]["e164"],
              "h": hashlib.md5(device["android_id"].encode()).hexdigest(), "b": base64.b64encode(device["imei"][-1].encode()).decode()}
    body = json.dumps({"ok": True, "device": values, "keep": ["stays", 1, 2.50, None], "ttl": 3600}, indent=1).encode()
    is_packed = int(arrival.get("X-Request-Id")[0], 16) % 2
    fields = [("Content-Type", "application/json"), *([("Content-Encoding", "gzip")] if is_packed else [])]
    return 200, fields, gzip.compress(body, mtime=0) if is_packed else body


def answers(corpus, **more):
    """The verdicts of one run in redact mode, of rules for what servers answer."""
    run = play(corpus, mode="redact", rules=ANSWERS, reply=lambda arrival: answer(corpus, arrival), **more)
    verdicts = {}
    for flow in corpus.flows:
        if flow["id"] not in run.outcomes or flow["proto"] == "ws" or corpus.truth[flow["id"]]["container"].startswith("grpc"):
            continue
        arrivals, outcome = run.arrivals(flow), run.outcomes[flow["id"]]
        if len(arrivals) != 1 or outcome.status != 200:
            verdicts[flow["id"]] = Verdict("wrong", [("not delivered", f"status {outcome.status} {outcome.error or ''}")])
            continue
        _, fields, sent = answer(corpus, arrivals[0])
        if not corpus.is_watched(flow):
            verdicts[flow["id"]] = Verdict("same") if outcome.body == sent else Verdict("wrong", [("changed", "the answer")])
            continue
        problems = answer_problems(*(gzip.decompress(body) if len(fields) > 1 else body for body in (sent, outcome.body)))
        verdicts[flow["id"]] = Verdict("wrong" if problems else "redacted", problems)
    return run, verdicts


def answer_problems(sent, got):
    before, after = open_json(sent.decode()), open_json(got.decode())
    problems = [("leaked", path) for path in before.leaves if ".device." in path and before.leaves[path] == after.leaves.get(path)]
    problems += [("over-redacted", path) for path in before.leaves if ".device." not in path and before.leaves[path] != after.leaves.get(path)]
    return problems + ([("broken", "the answer")] if before.skeleton != after.skeleton or len(sent) != len(got) else [])


def table(corpus, verdicts):
    counts = collections.Counter()
    for flow in corpus.flows:
        if flow["id"] in verdicts:
            counts[(*group(corpus, flow), verdicts[flow["id"]].outcome)] += 1
    return [f"{where:10} {label:9} {outcome:9} {count}" for (where, label, outcome), count in sorted(counts.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("redact", "answers", "sinkhole", "refuse"))
    parser.add_argument("--corpus", default=corpora.PUBLIC)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--folder")
    parser.add_argument("--most", type=int, default=40, help="problems to print")
    options = parser.parse_args()
    corpus = corpora.Corpus(options.corpus)
    more = {"only": options.only, "folder": options.folder}
    connections = 0
    if options.what == "redact":
        run, verdicts = redaction(corpus, **more)
    elif options.what == "answers":
        run, verdicts = answers(corpus, **more)
    else:
        run, verdicts, connections = blocking(corpus, options.what, **more)
        print(f"{connections} connections into the watched region")
    print("\n".join(table(corpus, verdicts)))
    wrong = {name: verdict for name, verdict in verdicts.items() if verdict.problems}
    kinds = collections.Counter(problem for verdict in wrong.values() for problem in {name for name, _ in verdict.problems})
    print(dict(kinds))
    for name, verdict in list(wrong.items())[:options.most]:
        truth = corpus.truth[name]
        print(name, truth["label"], truth["container"], truth["transfer"], *(f"\n    {what}: {detail}" for what, detail in verdict.problems[:4]))
    refused = collections.Counter(f"{corpus.truth[name]['container']} {corpus.truth[name]['transfer']}" for name, verdict in verdicts.items()
                                  if verdict.outcome == "refused" and corpus.truth[name]["label"] == "leak")
    if options.what == "redact":
        print("refused leaks by container:", dict(refused))
    return 1 if wrong or connections else 0


if __name__ == "__main__":
    sys.exit(main())
