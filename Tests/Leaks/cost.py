#!/usr/bin/env python3
"""What inspection costs: `cost.py [bodies] [latency] [hostile]`, as Markdown tables; all three unless named.

The proxy's own CPU time (/proc/PID/stat) with all inspectors and a full profile, less that of a run with none.
"""

import argparse
import base64
import gzip
import json
import os
import pathlib
import random
import statistics
import sys
import time

import corpus as corpora

sys.dont_write_bytecode = True

import environment  # noqa: E402

if __name__ == "__main__":
    environment.enter()

import containers  # noqa: E402
import harmless  # noqa: E402
import pki  # noqa: E402
from harness import Proxy, binary  # noqa: E402
from origins import Origin  # noqa: E402
from wire import Truncated  # noqa: E402

WATCHED, ADDRESS = "cost.example", "127.66.0.1"
MIB = 1 << 20
TICK = os.sysconf("SC_CLK_TCK")


def bodies(seed=7):
    """A MiB of each kind, without a hit: (Content-Type, bytes)."""
    chance = random.Random(seed)
    noise = containers.Noise(chance)

    def filled(write, unit, joined=lambda parts: parts):
        size = len(write(joined([unit() for _ in range(100)]))) / 100
        return write(joined([unit() for _ in range(int(MIB / size))]))

    def event():
        return {"ev": chance.choice(("tap", "show", "leave")), **noise.fields(), "x": chance.random(), "note": harmless.PROSE[:chance.randrange(120)]}

    pairs = [f"k{index}={chance.choice(('on', 'off', 'A+B', '%E6%AD%A1%E8%BF%8E'))}{chance.randrange(10 ** 9)}" for index in range(60000)]
    return {
        "JSON": ("application/json", filled(containers.as_json, event)),
        "form": ("application/x-www-form-urlencoded", "&".join(pairs)[:MIB].encode()),
        "protobuf": ("application/x-protobuf", filled(containers.as_pb, lambda: {1: 7, 2: {1: harmless.PROSE[:60], 2: chance.getrandbits(32)}, 3: chance.random()},
                                                      lambda parts: {4: parts})),
        "random": ("application/octet-stream", chance.randbytes(MIB)),
        "image": ("image/jpeg", harmless.jpeg(chance, MIB)),
        "text": ("text/plain", (harmless.PROSE * (MIB // len(harmless.PROSE)))[:MIB].encode()),
    }


def cpu(proxy):
    """Seconds of CPU that the proxy has used, user and system."""
    fields = pathlib.Path(f"/proc/{proxy.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def proxy(corpus, inspectors, mode="observe"):
    return Proxy(mode=mode, hosts={WATCHED: ADDRESS}, rules=corpora.REDACT, device=device(corpus),
                 config={"inspect": {"inspectors": inspectors}, "loops": 1})


def device(corpus):
    return json.dumps(corpus.device(), ensure_ascii=False)


def answer(exchange):
    exchange.body()
    exchange.reply(body=b"{}")


def cost_of_bodies(corpus, rounds):
    """CPU of each body, with and without inspectors."""
    rows = {}
    for inspectors in ("all", []):
        with Origin(answer, address=ADDRESS) as origin, proxy(corpus, inspectors) as running:
            for name, (kind, body) in bodies().items():
                with running.dial() as wire:
                    url, host = f"http://{WATCHED}:{origin.port}/cost", f"{WATCHED}:{origin.port}"
                    wire.request("POST", url, host, body, [("Content-Type", kind)])
                    before = cpu(running)
                    for _ in range(rounds):
                        if wire.request("POST", url, host, body, [("Content-Type", kind)]).status != 200:
                            raise AssertionError(f"{name} is not answered")
                    rows.setdefault(name, []).append((cpu(running) - before) / rounds / (len(body) / MIB))
    lines = ["| a body of | CPU per MiB, all inspectors | without | inspection alone | MiB/s on a core |", "| --- | --: | --: | --: | --: |"]
    for name, (with_all, without) in rows.items():
        alone = with_all - without
        rate = f"{1 / alone:.0f}" if alone > 1e-4 else "not measurable"
        lines.append(f"| {name} | {with_all * 1000:.2f} ms | {without * 1000:.2f} ms | {alone * 1000:.2f} ms | {rate} |")
    return lines


def call(chance):
    """A typical call: 2 KiB of JSON."""
    noise = containers.Noise(chance)
    tree = {**noise.fields(), "events": []}
    while len(containers.as_json(tree)) < 2000:
        tree["events"].append({**noise.fields(), "ev": "tap"})
    return containers.as_json(tree)[:-1] + b',"pad":"' + b"x" * 20 + b'"}'


def latency(corpus, count):
    """Of small calls one after another on a TLS connection that is kept open; the two proxies take turns."""
    taken, used = {"all": [], "none": []}, {}
    body = call(random.Random(3))
    leaf = pki.shared().leaf(WATCHED)
    with Origin(answer, leaf=leaf, address=ADDRESS) as origin, proxy(corpus, "all") as inspecting, proxy(corpus, []) as passing:
        wires = {"all": (inspecting, inspecting.tunnel(WATCHED, origin.port)), "none": (passing, passing.tunnel(WATCHED, origin.port))}
        for index in range(count + 50):
            for name, (running, wire) in wires.items():
                if index == 50:
                    used[name] = cpu(running)
                began = time.perf_counter()
                wire.request("POST", "/v1/report", WATCHED, body, [("Content-Type", "application/json")])
                if index >= 50:
                    taken[name].append(time.perf_counter() - began)
        used = {name: (cpu(running) - used[name]) / count for name, (running, _) in wires.items()}
        for _, wire in wires.values():
            wire.close()
    lines = [f"| {count} calls of {len(body)} bytes | median | 99 % | CPU a call |", "| --- | --: | --: | --: |"]
    for name, label in (("all", "all inspectors"), ("none", "without")):
        ordered = sorted(taken[name])
        lines.append(f"| {label} | {statistics.median(ordered) * 1000:.3f} ms | {ordered[len(ordered) * 99 // 100] * 1000:.3f} ms | {used[name] * 1000:.3f} ms |")
    added = statistics.median(taken["all"]) - statistics.median(taken["none"])
    lines.append(f"| added | {added * 1000:.3f} ms | | {(used['all'] - used['none']) * 1000:.3f} ms |")
    return lines


def hostile(size, seed=11):
    """Bodies made to cost, of `size` bytes unless packed: name, Content-Type, Content-Encoding, bytes."""
    chance = random.Random(seed)
    once = gzip.compress(bytes(100 * MIB), 9, mtime=0)
    digits = "".join(chance.choice("0123456789") for _ in range(MIB))
    near = ",".join(f'"{chance.randrange(10 ** 14, 10 ** 15)}"' for _ in range(size // 18))
    nested = b'{"imei":"1"}'
    for _ in range(12):
        nested = json.dumps({"d": base64.b64encode(nested).decode()}).encode()
    return [
        ("gzip of 100 MiB of zeros", "application/json", "gzip", once),
        ("the same, gzipped again", "application/json", "gzip", gzip.compress(once, mtime=0)),
        ("the same in base64 in JSON", "application/json", None, json.dumps({"data": base64.b64encode(once).decode()}).encode()),
        ("twelve layers of base64 in JSON", "application/json", None, nested),
        ("[", "application/json", None, b"[" * size),
        ("{\"a\":", "application/json", None, b'{"a":' * (size // 5)),
        ("strings that look like IMEIs", "application/json", None, f"[{near}]".encode()),
        ("digits", "application/json", None, ('{"n":"' + (digits * 10)[:size] + '"}').encode()),
        ("tiny base64 strings", "application/json", None, ("[" + '"aGVsbG8=",' * (size // 11) + "0]").encode()),
        ("backslashes", "application/json", None, b'{"s":"' + b"\\\\" * (size // 2) + b'"}'),
        ("%25", "application/x-www-form-urlencoded", None, b"a=" + b"%25" * (size // 3)),
        ("<a>", "text/xml", None, b"<a>" * (size // 3)),
        ("boundaries", "multipart/form-data; boundary=b", None, b"--b\r\n\r\n\r\n" * (size // 9)),
        ("nested protobuf", "application/x-protobuf", None, b"\x0a\xff\xff\xff\x04" * (size // 5)),
        ("MessagePack arrays", "application/msgpack", None, b"\xdd\x00\x00\xff\xff" * (size // 5)),
    ]


def of_hostile(corpus, mode, size):
    """Each hostile body once: name, size, status, seconds of CPU, bytes of memory grown."""
    rows = []
    with Origin(answer, address=ADDRESS) as origin, proxy(corpus, "all", mode) as running:
        for name, kind, coding, body in hostile(size):
            fields = [("Content-Type", kind), *([("Content-Encoding", coding)] if coding else [])]
            before, memory = cpu(running), running.resident_bytes()
            with running.dial() as wire:
                try:
                    status = wire.request("POST", f"http://{WATCHED}:{origin.port}/hostile", f"{WATCHED}:{origin.port}", body, fields).status
                except (OSError, Truncated):
                    status = "refused while it was sent"
            if running.process.poll() is not None:
                raise AssertionError(f"the proxy died of {name}: {running.said()}")
            rows.append((name, len(body), status, cpu(running) - before, running.resident_bytes() - memory))
    return rows


def cost_of_hostile(corpus):
    lines = ["| a hostile body | record, 10 MiB: answered, CPU, memory grown | redact, 0.9 MiB, so that it is held |", "| --- | --- | --- |"]
    cells = {}
    for mode, size in (("record", 10 * MIB), ("redact", 900_000)):
        for name, _, status, used, grown in of_hostile(corpus, mode, size):
            cells.setdefault(name, []).append(f"{status}, {used * 1000:.0f} ms, {grown / MIB:+.0f} MiB")
    return lines + [f"| {name} | {' | '.join(columns)} |" for name, columns in cells.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["bodies", "latency", "hostile"])
    parser.add_argument("--rounds", type=int, default=32, help="bodies of a MiB of each kind")
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    corpus = corpora.Corpus(corpora.PUBLIC)
    print(f"{binary()}")
    if "bodies" in options.what:
        print("\n".join(["", *cost_of_bodies(corpus, options.rounds)]))
    if "latency" in options.what:
        print("\n".join(["", *latency(corpus, options.calls)]))
    if "hostile" in options.what:
        print("\n".join(["", *cost_of_hostile(corpus)]))


if __name__ == "__main__":
    main()
