"""Scale at one moment: loops on cores, connections that are idle, connections that are busy."""

import json
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import time

import cases
import machine
import proxies

# Cores are shared by all in these cases: the load client takes what the proxy leaves.
ALL_CORES = tuple(machine.CORES)
# What the proxy needs besides its connections, which are two descriptors each.
OTHER_DESCRIPTORS = 200
# Seconds after the last connection by which memory is given back.
GIVING_BACK = 3


class OneLoop(proxies.Observing):
    name, title, cores, changes, count = "one", "1 loop", (machine.PROXY_CORE,), {"loops": 1}, 1


class TwoLoops(proxies.Observing):
    name, title, cores, changes, count = "two", "2 loops", ALL_CORES, {"loops": 2}, 2


class OneWorker(proxies.Nginx):
    name, title, cores, workers, count = "nginx-one", "1 worker", (machine.PROXY_CORE,), 1, 1


class TwoWorkers(proxies.Nginx):
    name, title, cores, workers, count = "nginx-two", "2 workers", ALL_CORES, 2, 2


class Load:
    """The load client while it runs: what it says, a line at a time."""

    def __init__(self, words, cores=ALL_CORES):
        self.process = machine.start(words, *cores, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def said(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: the load client ended with {self.process.wait()}")
        return json.loads(line)

    def again(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.said()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def run(words, cores=ALL_CORES):
    """What a whole run of the load client says at its end."""
    load = Load(words, cores)
    try:
        said = load.said()
    finally:
        load.close()
    if said["failed"]:
        raise SystemExit(f"bench: wrong answers: {said}")
    return said


# Loops on cores.

# The way, the words, and how many connections each loop has: with fewer, a turn of a loop serves fewer of them.
WORKS = {
    "GET of 200 B, 64 connections a loop": (proxies.KEEP, [], 64),
    "HTTP/2, GET of 200 B, 16 connections of 8 streams a loop": (proxies.KEEP, ["--http2", "--streams", 8], 16),
    "new connection, both handshakes full, 8 at once a loop": (proxies.FULL, ["--close"], 8),
}


PAIRS = ((OneLoop, TwoLoops), (OneWorker, TwoWorkers))


def lanes(proxy):
    """Seconds of CPU of each loop's thread, or each worker, in their order."""
    if isinstance(proxy, proxies.Nginx):
        return [machine.cpu(member) for member in sorted(machine.tree(proxy.pid)) if member != proxy.pid]
    return [used for name, used in sorted(machine.threads(proxy.pid).values()) if name.startswith("loop-")]


def cores(bench):
    """What a second loop costs: CPU a request of two loops beside one, in pairs of turns; and of nginx's workers.

    One loop shares its core with origin and load client, and two share both cores with the same: each loop has as
    much around it in both, so what differs is what two loops have in common.
    """
    running = {kind: bench.begin(kind) for pair in PAIRS for kind in pair}
    figures = {work: {kind.name: [] for kind in running} for work in WORKS}
    try:
        for turn in range(bench.chosen.rounds + 1):
            for work, (way, words, connections) in WORKS.items():
                for proxy in list(running.values())[::1 if turn % 2 else -1]:
                    figure = turn_of(bench, proxy, way, [*words, "--connections", connections * proxy.count], bench.chosen.seconds if turn else 1)
                    if turn:
                        figures[work][proxy.name].append(figure)
        bench.laboratory.move_origin(ALL_CORES)
        calls = {kind.title: futex_calls(bench, running[kind]) for kind in PAIRS[0]}
    finally:
        for proxy in running.values():
            proxy.close()
        bench.laboratory.move_origin((machine.OTHER_CORE,))
    bench.figures["cores"] = {"works": figures, "futex": calls}
    lines = ["| work | proxy | CPU a request, one core | two cores | efficiency, median and range | throughput, one core | two cores | busier lane's share |",
             "| --- | --- | --: | --: | --- | --: | --: | --: |"]
    for work, by_proxy in figures.items():
        for one_kind, two_kind in PAIRS:
            one, two = by_proxy[one_kind.name], by_proxy[two_kind.name]
            efficiency = sorted(first["cpu"] / second["cpu"] for first, second in zip(one, two))
            lines.append(
                f"| {work} | {one_kind.title}, {two_kind.title} | {middle(one, 'cpu') * 1e6:.1f} us | {middle(two, 'cpu') * 1e6:.1f} us | {statistics.median(efficiency):.2f} [{efficiency[0]:.2f}–{efficiency[-1]:.2f}] "
                f"| {middle(one, 'rate'):.0f}/s | {middle(two, 'rate'):.0f}/s | {1 - middle(two, 'share'):.0%} |")
    lines.append("")
    lines += [f"futex calls a request, {title}: {count}" for title, count in calls.items()]
    return lines


def turn_of(bench, proxy, way, words, seconds):
    """Origin and load client on the proxy's cores, for so long."""
    bench.laboratory.move_origin(proxy.cores)
    before, by_lane = machine.cpu(proxy.pid), lanes(proxy)
    said = run(cases.command(bench.load, bench.laboratory, proxy, way, "200.json", [*words, "--seconds", seconds]), proxy.cores)
    used = machine.cpu(proxy.pid) - before
    shares = [now - then for now, then in zip(lanes(proxy), by_lane)]
    return {"cpu": used / said["answered"], "rate": said["answered"] / said["seconds"], "p99": said["p99"], "share": min(shares) / max(sum(shares), 0.01)}


def middle(list_, what):
    return statistics.median(each[what] for each in list_)


def futex_calls(bench, proxy):
    """System calls on locks for each request: a lock that nobody waits for makes none."""
    if shutil.which("strace") is None:
        return "strace is missing"
    words = cases.command(bench.load, bench.laboratory, proxy, proxies.KEEP, "200.json", ["--connections", 64, "--requests", 20000])
    output = bench.folder / f"futex-{proxy.name}"
    tracer = machine.start(["strace", "-f", "-c", "-e", "trace=futex", "-o", output, "-p", proxy.pid], *ALL_CORES, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end and not all(traced(entry) for entry in pathlib.Path(f"/proc/{proxy.pid}/task").iterdir()):
            time.sleep(0.05)
        said = run(words)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
    found = re.search(r"^\s*\S+\s+\S+\s+\S+\s+(\d+)\s+(?:\d+\s+)?futex$", output.read_text(), re.MULTILINE)
    return f"{int(found.group(1)) / said['answered']:.4f}" if found else "0"


def traced(task):
    return "TracerPid:\t0" not in (task / "status").read_text()


# Connections.


def idle(bench):
    """Connections with one exchange behind them: what each takes, what they cost while nothing happens, and whether they answer."""
    wanted = bench.chosen.idle
    count = min(wanted, (machine.allow_descriptors() - OTHER_DESCRIPTORS) // 2)
    proxy = bench.begin(TwoLoops)
    lines = [] if count == wanted else [f"A process may have {machine.allow_descriptors()} descriptors here (ulimit -n): {count} connections, not {wanted}.", ""]
    rounds = []
    words = ["--idle", "--connections", count, "--sources", 16]
    try:
        run(cases.command(bench.load, bench.laboratory, proxy, proxies.KEEP, "200.json", ["--requests", 200, "--connections", 4]))
        for _ in range(2):
            rounds.append(idle_round(bench, proxy, count, words))
    finally:
        proxy.close()
    bench.figures["idle"] = rounds
    lines += ["| round | made a second | CPU each | KiB each | CPU while idle | answered afterwards, p50 / p99 | descriptors before, with, after | RSS before, with, after |",
              "| --: | --: | --: | --: | --: | --- | --- | --- |"]
    for number, each in enumerate(rounds, 1):
        lines.append(
            f"| {number} | {each['rate']:.0f} | {each['cpu'] * 1e3:.2f} ms | {each['each']:.1f} | {each['resting']:.1%} of a core | {each['answered']} of {count}, "
            f"{each['p50'] / 1e3:.0f} / {each['p99'] / 1e3:.0f} ms | {' / '.join(map(str, each['descriptors']))} | {' / '.join(f'{value / 1024:.0f}' for value in each['memory'])} MiB |")
    return lines


def idle_round(bench, proxy, count, words):
    before, open_before, used = machine.pss(proxy.pid), machine.descriptors(proxy.pid), machine.cpu(proxy.pid)
    load = Load(cases.command(bench.load, bench.laboratory, proxy, proxies.KEEP, "200.json", words))
    try:
        said = load.said()
        if said["answered"] != count or said["failed"]:
            raise SystemExit(f"bench: of {count} idle connections: {said}")
        used = machine.cpu(proxy.pid) - used
        within, open_within = machine.pss(proxy.pid), machine.descriptors(proxy.pid)
        resting = machine.cpu(proxy.pid)
        time.sleep(bench.chosen.seconds * 3)
        resting = (machine.cpu(proxy.pid) - resting) / (bench.chosen.seconds * 3)
        again = load.again()
        if again["answered"] != count or again["failed"]:
            raise SystemExit(f"bench: of {count} connections that were idle: {again}")
    finally:
        load.close()
    open_after = settled(proxy, open_before)
    # A loop has what they had given back once none has gone for a second.
    time.sleep(GIVING_BACK)
    return {
        "rate": count / said["seconds"], "cpu": used / count, "each": (within - before) / count, "resting": resting, "answered": again["answered"],
        "p50": again["p50"], "p99": again["p99"], "descriptors": (open_before, open_within, open_after), "memory": (before, within, machine.pss(proxy.pid))}


def settled(proxy, wanted, patience=15):
    """How many descriptors are open once it is as few as `wanted`, or in the end."""
    end = time.monotonic() + patience
    while (count := machine.descriptors(proxy.pid)) > wanted and time.monotonic() < end:
        time.sleep(0.2)
    return count


def busy(bench):
    """Connections that each make a request every half second, and then as many as they can."""
    count = bench.chosen.busy
    machine.allow_descriptors()
    proxy = bench.begin(TwoLoops)
    turns = {}
    try:
        for title, words in (("2 requests a second each", ["--think", 500]), ("the next request at once", [])):
            all_words = ["--steady", "--connections", count, "--seconds", bench.chosen.seconds * 4, *words]
            load = Load(cases.command(bench.load, bench.laboratory, proxy, proxies.KEEP, "200.json", all_words))
            try:
                load.said()
                used, before = machine.cpu(proxy.pid), machine.pss(proxy.pid)
                time.sleep(bench.chosen.seconds * 3)
                after, within = machine.pss(proxy.pid), machine.descriptors(proxy.pid)
                said = load.said()
                used = machine.cpu(proxy.pid) - used
            finally:
                load.close()
            turns[title] = {**said, "cpu": used / max(said["answered"], 1), "memory": (before, after), "descriptors": within}
    finally:
        proxy.close()
    bench.figures["busy"] = turns
    lines = [f"{count} connections of HTTP/1.1, GET of 200 B.", "",
             "| each makes | answered a second | errors | p50 / p99 | CPU a request | RSS after the first and the last quarter |", "| --- | --: | --: | --- | --: | --- |"]
    for title, each in turns.items():
        lines.append(
            f"| {title} | {each['answered'] / each['seconds']:.0f} | {each['failed']} | {each['p50'] / 1e3:.1f} / {each['p99'] / 1e3:.1f} ms | {each['cpu'] * 1e6:.0f} us "
            f"| {each['memory'][0] / 1024:.0f} / {each['memory'][1] / 1024:.0f} MiB |")
    return lines
