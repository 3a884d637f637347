"""What is measured: each case's load, and what becomes of its figures."""

import json
import subprocess
import time

import machine
from laboratory import DOMAIN, MIB, RECEIVED
from proxies import FULL, KEEP, MINT, RESUMED

GIB = 1 << 30
# New names of one slice, and idle connections.
NEW_NAMES, IDLE = 400, 1000


class Case:
    def __init__(self, title, way, words, *, path="200.json", per="thousand", h2=False, count=None, shows=("cpu",)):
        self.title, self.way, self.words, self.path, self.per, self.h2, self.count, self.shows = title, way, words, path, per, h2, count, shows


CASES = {
    "lat1": Case("GET of 200 B, 1 connection", KEEP, ["--connections", 1], shows=("p50", "p99", "cpu")),
    "small": Case("GET of 200 B, 64 connections", KEEP, ["--connections", 64], shows=("cpu", "p50", "p99")),
    "2k": Case("GET of 2 KiB, 32 connections", KEEP, ["--connections", 32], path="2k.json"),
    "h2-2k": Case("HTTP/2, GET of 2 KiB, 4 connections of 8 streams", KEEP, ["--http2", "--connections", 4, "--streams", 8], path="2k.json", h2=True),
    "16k": Case("GET of 16 KiB, 16 connections", KEEP, ["--connections", 16], path="16k.bin"),
    "1m": Case("GET of 1 MiB, 8 connections", KEEP, ["--connections", 8], path="1m.bin", per="gib"),
    "up1m": Case("POST of 1 MiB, 8 connections", KEEP, ["--connections", 8, "--upload", MIB, "--length", len(RECEIVED)], path="1m.bin", per="gib"),
    "passed": Case("GET of 1 MiB that is relayed undecrypted, 8 connections", KEEP, ["--connections", 8], path="1m.bin", per="gib"),
    "h2": Case("HTTP/2, GET of 200 B, 4 connections of 8 streams", KEEP, ["--http2", "--connections", 4, "--streams", 8], h2=True),
    "full": Case("new connection, both handshakes full", FULL, ["--close", "--connections", 4]),
    "resumed": Case("new connection, both handshakes resumed", RESUMED, ["--close", "--connections", 4, "--resume"]),
    "mint": Case("new connection, a name never seen before", MINT, ["--close", "--connections", 4], count=NEW_NAMES),
    "first": Case("first answer from a new host, 1 connection", MINT, ["--close", "--connections", 1], count=NEW_NAMES, shows=("p50", "p99")),
}
MEMORY = ("idle", "1g", "start")


def command(load, laboratory, proxy, way, path, words, name=DOMAIN):
    authority = laboratory.authority if proxy.verified_by == "proxy" else laboratory.origin_authority
    connect = ["--connect"] if proxy.connects else []
    url = "/sink" if "--upload" in words else f"/{path}"
    return [load, "--port", proxy.ports[way], "--authority-port", proxy.authority_port(way), "--ca", authority[0], "--pattern", name,
            "--expect", laboratory.www / ("1m.bin" if path == "1g.bin" else path), "--path", url, *connect, *words]


def run_load(words):
    """What the load client says; it ends with an error if one answer was wrong."""
    with machine.start(words, machine.OTHER_CORE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        text = process.stdout.read()
    if process.returncode != 0:
        raise SystemExit(f"bench: wrong answers: {text.strip()}\n{' '.join(map(str, words))}")
    return json.loads(text)


def slice_of(case, load, laboratory, proxy, seconds, first_name):
    """One turn of one proxy: its figures, and how much of the machine others used meanwhile."""
    words = [*case.words]
    name = DOMAIN
    if case.way == MINT:
        name = f"n%07ld.{DOMAIN}"
        words += ["--requests", case.count, "--names", case.count, "--first-name", first_name]
    else:
        words += ["--seconds", seconds]
    words = command(load, laboratory, proxy, case.way, case.path, words, name)
    busy, ours, used = machine.busy(), machine.cpu(machine.os.getpid()), machine.cpu(proxy.pid)
    said = run_load(words)
    used = machine.cpu(proxy.pid) - used
    ours = machine.cpu(machine.os.getpid()) - ours
    foreign = max(0.0, machine.busy() - busy - ours) / (said["seconds"] * len(machine.CORES))
    work = said["answered"] / 1000 if case.per == "thousand" else said["bytes"] / GIB
    if case.way == FULL and said["resumed"]:
        raise SystemExit(f"bench: {proxy.title} resumed {said['resumed']} of {said['handshakes']} handshakes that were to be full")
    if case.way == RESUMED and said["resumed"] < said["handshakes"] * 0.9:
        raise SystemExit(f"bench: {proxy.title} resumed {said['resumed']} of {said['handshakes']} handshakes")
    return {"cpu": used * (1000 if case.per == "thousand" else 1) / work, "p50": said["p50"], "p99": said["p99"], "rate": said["answered"] / said["seconds"], "foreign": foreign}


def first_answer(load, laboratory, proxy, begun):
    """Milliseconds from when it was started to the first byte of an answer."""
    return (run_load(command(load, laboratory, proxy, KEEP, "200.json", ["--requests", 1]))["first_answer"] - begun) * 1000


def idle(load, laboratory, proxy):
    """KiB for each connection that did one exchange and is open."""
    run_load(command(load, laboratory, proxy, KEEP, "200.json", ["--requests", 200, "--connections", 4]))
    before = machine.pss(proxy.pid)
    words = command(load, laboratory, proxy, KEEP, "200.json", ["--idle", "--connections", IDLE])
    process = machine.start(words, machine.OTHER_CORE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = json.loads(process.stdout.readline())
    after = machine.pss(proxy.pid)
    process.communicate()
    if said["answered"] != IDLE or said["failed"]:
        raise SystemExit(f"bench: {proxy.title}: {said}")
    return {"idle": (after - before) / IDLE}


def gibibyte(load, laboratory, proxy):
    """MiB at the most while one body of 1 GiB passes."""
    laboratory.make_gibibyte()
    # What the start alone needed is being given back.
    time.sleep(1)
    machine.forget_peaks(proxy.pid)
    run_load(command(load, laboratory, proxy, KEEP, "1g.bin", ["--requests", 1, "--length", GIB]))
    return {"1g": machine.peak(proxy.pid) / 1024}
