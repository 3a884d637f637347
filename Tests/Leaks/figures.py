#!/usr/bin/env python3
"""The figures of docs/detection.md: `figures.py [--seed N --count N | --corpus FOLDER]`, as Markdown tables."""

import argparse
import collections
import pathlib
import sys
import tempfile

import corpus as corpora

sys.dont_write_bytecode = True

import environment  # noqa: E402

if __name__ == "__main__":
    environment.enter()

import forms  # noqa: E402
import generate  # noqa: E402
import judge  # noqa: E402
import score  # noqa: E402
from layers import Keyring  # noqa: E402
from play import play  # noqa: E402

MEDIA = ("media", "multipart media", "json media")


def found_kinds(run):
    """By flow, the kinds that were reported, in the scorer's names."""
    names, tokens = score.load_map()["kind"], {truth["token"]: name for name, truth in run.corpus.truth.items()}
    reported = collections.defaultdict(set)
    for finding in run.scored():
        name = next((tokens[word] for word in score.re.findall(r"[0-9a-f]{8}", finding["url"]) if word in tokens), None)
        reported[name] |= set(names.get(score.low(finding["kind"]), [finding["kind"]]))
    return reported


def tallies(run):
    """Recall by each view of an item: (view, row) -> [found, all]."""
    reported, rows = found_kinds(run), collections.defaultdict(lambda: [0, 0])
    for name, truth in run.corpus.truth.items():
        for item in {(item["kind"], item["encoding"]): item for item in truth["items"]}.values():
            chain, is_inner = item.get("chain", []), item.get("is_inner", " > " in item["path"])
            views = {
                "kind": item["kind"] if item["known"] else f"{item['kind']}, not in the profile",
                "form": forms.common(item.get("form", item["encoding"])), "container": truth["container"],
                "transfer": truth["transfer"] or "as it is",
                "layers": f"{len(chain)} over {'a document' if is_inner else 'a value'}",
                "outer layer": chain[-1] if chain else "none"}
            if not item["known"]:
                views = {"kind": views["kind"]}
            for view, row in views.items():
                rows[view, row][0] += item["kind"] in reported[name]
                rows[view, row][1] += 1
    return rows


def false_rows(run):
    """Of flows without an identifier, how many were said to have one; of media, how many to be opaque."""
    reported, rows = found_kinds(run), collections.defaultdict(lambda: [0, 0])
    for name, truth in run.corpus.truth.items():
        if truth["label"] in ("negative", "innocent"):
            rows[truth["label"]][0] += bool(reported[name] - {"opaque"})
            rows[truth["label"]][1] += 1
            rows["called opaque"][0] += "opaque" in reported[name]
            rows["called opaque"][1] += 1
        if truth["label"] == "opaque":
            rows["opaque: " + truth["note"].split(",")[0]][0] += "opaque" in reported[name]
            rows["opaque: " + truth["note"].split(",")[0]][1] += 1
    return rows


def markdown(run):
    lines, rows = [], tallies(run)
    for view in ("kind", "form", "container", "transfer", "layers", "outer layer"):
        lines += [f"| {view} | found | of | recall |", "| --- | --: | --: | --: |"]
        for (which, row), (hits, count) in sorted(rows.items()):
            if which == view:
                lines.append(f"| {row} | {hits} | {count} | {hits / count:.3f} |")
        lines.append("")
    lines += ["| flows | so reported | of |", "| --- | --: | --: |"]
    lines += [f"| {row} | {hits} | {count} |" for row, (hits, count) in sorted(false_rows(run).items())]
    return lines


def misses(run, most):
    reported, lines, keyring = found_kinds(run), [], Keyring(run.corpus.profile.get("sdk_keys", ()))
    flows = {flow["id"]: flow for flow in run.corpus.flows}
    for name, truth in run.corpus.truth.items():
        for item in truth["items"]:
            if item["known"] and item["kind"] not in reported[name]:
                spelled, leaf = judge.written(run.corpus, flows[name], item, keyring)
                lines.append(f"missed {name} {item['kind']} {item['encoding']} in {truth['container']} {truth['transfer']} "
                             f"at {item['path']}: {item['value']} as {spelled[:60]!r} in {leaf[:60]!r}")
        extra = reported[name] - {item["kind"] for item in truth["items"]} - {item["kind"] for item in truth["ignore"]} - {"opaque"}
        lines += [f"wrong  {name} {kind} {truth['label']} {truth['container']}" for kind in extra]
        if truth["label"] in ("negative", "innocent") and "opaque" in reported[name]:
            lines.append(f"opaque {name} {truth['label']} {truth['container']} {truth['ctype']}")
        if truth["label"] == "opaque" and "opaque" not in reported[name]:
            lines.append(f"unseen {name} {truth['note']}")
    return lines[:most]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2014)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--corpus", help="a folder, in place of a generated one")
    parser.add_argument("--misses", type=int, default=0, help="how many mistakes to name")
    parser.add_argument("--brief", action="store_true", help="the summary alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not options.corpus:
            generate.generate(pathlib.Path(folder), options.seed, options.count)
        run = play(corpora.Corpus(options.corpus or folder))
        print(score.summary(run.score()))
        if not options.brief:
            print("\n".join(markdown(run)))
        print("\n".join(misses(run, options.misses)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
