"""A day in minutes: devices of every manner, reloads, new cases, retention; and whether anything grows meanwhile."""

import json
import pathlib
import queue
import re
import statistics
import subprocess
import sys
import threading
import time

import cases
import laboratory
import machine
import proxies

HERE = pathlib.Path(__file__).resolve().parent
ALL_CORES = tuple(machine.CORES)
# Two short cases, then one for the rest of the day, so that what grows slowly has time to.
CASE_ENDS = (0.12, 0.24, 1.0)
RELOAD_EVERY, LOOK_EVERY, SAMPLE_EVERY = 5, 30, 1
# Of what is resident, from the third quarter of the last case to its last; reloads alone make it differ by some.
MOST_GROWTH = 0.05
# Names that are asked for in turn, more than the leaves that a loop keeps.
MINTED = 3000
NAMES = [*(f"{name}.{laboratory.DOMAIN}" for name in ("odd", "closed", *(f"pinned{number:02}" for number in range(16)))),
         *(f"n{number:07}.{laboratory.DOMAIN}" for number in range(MINTED))]


class Day(proxies.Recording):
    """Two loops, full evidence, little room for it, rules and profile of its own."""

    name, title, cores = "day", "a day", ALL_CORES

    def write(self):
        self.rules, self.device = self.folder / "rules.yaml", self.folder / "devices/phone.yaml"
        self.changes = {"loops": 2, "rules": [str(self.rules)], "case": {"dir": "cases", "name": "auto", "max_size": self.laboratory.max_size}}
        self.change(0)
        self.command = super().write()
        return [*self.command, "--case", self.case_name(0)]

    @staticmethod
    def case_name(number):
        return f"day-{number + 1}"

    def change(self, number):
        """Other rules than before."""
        text = (proxies.ROOT / "rules/default.yaml").read_text()
        self.rules.write_text(f"{text}\n  - id: change-{number}\n    when: {{ method: [POST], size: \">={number % 7 + 1}KiB\" }}\n    then: log\n")

    def change_device(self, number):
        values = proxies.PHONE | {"account_id": [f"66041{number:05}"]}
        self.device.write_text(json.dumps({"name": "phone", "match": {"ip": "127.0.0.1"}, "identifiers": values}))

    def ask(self, *words):
        """A command of the product's beside it: exit code, and what it said."""
        done = subprocess.run(
            [self.binary, *map(str, words), "-c", self.configuration], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        return done.returncode, done.stdout.strip()

    def begin_case(self, number):
        self.launch([*self.command, "--case", self.case_name(number)])


class Samples(threading.Thread):
    """What the proxy holds, each second: resident KiB, of these the process's own, descriptors, threads."""

    def __init__(self, proxy):
        super().__init__(daemon=True)
        self.proxy, self.rows, self.is_over = proxy, [], threading.Event()
        self.start()

    def now(self):
        text = pathlib.Path(f"/proc/{self.proxy.pid}/status").read_text()
        figures = [int(re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE).group(1)) for key in ("VmRSS", "RssAnon", "Threads")]
        return {"at": time.monotonic(), "pid": self.proxy.pid, "rss": figures[0], "own": figures[1], "threads": figures[2], "descriptors": machine.descriptors(self.proxy.pid), "sockets": machine.sockets(self.proxy.pid)}

    def run(self):
        while not self.is_over.wait(SAMPLE_EVERY):
            try:
                self.rows.append(self.now())
            except (OSError, AttributeError):
                # Between two cases there is none.
                continue

    def close(self):
        self.is_over.set()
        self.join()


class Visitors:
    """The program of visits, and what it tells."""

    def __init__(self, bench, proxy, odd_ports):
        lab = bench.laboratory
        words = [sys.executable, HERE / "visits.py", proxy.port, lab.authority[0], lab.port, *odd_ports, bench.chosen.minutes * 60]
        self.process = machine.start(words, *ALL_CORES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.counts, self.wrong = {}, []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "counts" in said:
                self.counts = said["counts"]
            else:
                self.wrong.append(said)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.reader.join()


# What the C client does between: each a slice of requests, and what is meant to end otherwise.
SLICES = (
    (proxies.KEEP, ["--connections", 16, "--requests", 400]),
    (proxies.KEEP, ["--http2", "--connections", 4, "--streams", 16, "--requests", 400, "--resets", 5]),
    (proxies.FULL, ["--close", "--connections", 8, "--requests", 60]),
    (proxies.RESUMED, ["--close", "--connections", 8, "--requests", 60, "--resume"]),
    (proxies.KEEP, ["--http2", "--connections", 8, "--streams", 2, "--requests", 200]),
    (proxies.MINT, ["--close", "--connections", 4, "--requests", 60, "--names", 60]),
)


class Timetable:
    """The day itself: what is due when."""

    def __init__(self, bench, proxy):
        self.bench, self.proxy = bench, proxy
        self.begun, self.length = time.monotonic(), bench.chosen.minutes * 60
        self.answered = self.reset = self.slices = self.reloads = 0
        self.looking = None
        self.reload_times, self.changes, self.sealed, self.wrong = [], [], [], queue.SimpleQueue()

    def passed(self):
        return (time.monotonic() - self.begun) / self.length

    def run(self):
        number = 0
        due = {self.reload: 0, self.look: 0}
        self.ask_all_names()
        while (passed := self.passed()) < 1:
            if passed >= CASE_ENDS[number]:
                number += 1
                self.change_case(number)
            if self.proxy.process.poll() is not None:
                raise SystemExit(f"bench: the proxy ended with {self.proxy.process.returncode}:\n{machine.tail(self.proxy.log)}")
            for what, every in ((self.reload, RELOAD_EVERY), (self.look, LOOK_EVERY)):
                if time.monotonic() >= due[what]:
                    what()
                    due[what] = time.monotonic() + every
            self.slice()
            time.sleep(1)

    def ask_all_names(self):
        """Fills the caches of leaves and sessions, which would else grow to their bounds for most of a short day."""
        self.load(proxies.MINT, ["--close", "--connections", 4, "--requests", MINTED, "--names", MINTED, "--first-name", 0])

    def slice(self):
        way, words = SLICES[self.slices % len(SLICES)]
        if way == proxies.MINT:
            words = [*words, "--first-name", self.slices * 10 % (MINTED - 60)]
        self.slices += 1
        self.load(way, words)

    def load(self, way, words):
        """So many exchanges of the C client's."""
        name = f"n%07ld.{laboratory.DOMAIN}" if way == proxies.MINT else laboratory.DOMAIN
        command = cases.command(self.bench.load, self.bench.laboratory, self.proxy, way, "200.json", words, name)
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        said = json.loads(done.stdout)
        self.answered += said["answered"]
        self.reset += said["reset"]
        if said["failed"]:
            self.wrong.put(f"slice {' '.join(map(str, words))}: {done.stderr.strip()[:300]}")

    def reload(self):
        self.reloads += 1
        self.proxy.change(self.reloads)
        self.proxy.change_device(self.reloads)
        begun = time.monotonic()
        code, text = self.proxy.ask("reload")
        self.reload_times.append(time.monotonic() - begun)
        if code:
            self.wrong.put(f"reload ended with {code}: {text[:300]}")

    def look(self):
        """Reads the case while it is written, as an operator would; on a busy machine for longer than until the next time."""
        if self.looking and self.looking.poll() is None:
            return
        self.saw()
        words = ("flows", "--limit", 20, "--case", self.proxy.case_name(len(self.sealed)), "-c", self.proxy.configuration)
        self.looking = machine.start([self.proxy.binary, *words], *ALL_CORES, cwd=self.proxy.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        code, text = self.proxy.ask("mark", f"{self.passed():.0%} of the day")
        if code:
            self.wrong.put(f"mark ended with {code}: {text[-300:]}")

    def saw(self):
        if self.looking and (code := self.looking.wait(300)):
            self.wrong.put(f"flows ended with {code}")
        self.looking = None

    def change_case(self, number):
        """The case is sealed and another begun, with devices at the door."""
        self.saw()
        begun = time.monotonic()
        code, text = self.proxy.ask("stop")
        ended = self.proxy.process.wait(60)
        if code or ended:
            self.wrong.put(f"stop ended with {code}, the proxy with {ended}: {text[:300]}")
        self.sealed.append(self.proxy.case_name(number - 1))
        self.proxy.begin_case(number)
        self.changes.append((begun, time.monotonic() + 1))
        self.ask_all_names()


def growth(rows, what):
    """By how much the last half of these is above the first, in the mean or in the most, whichever grew less.

    What is resident goes up and down with each reload; what leaks lifts both.
    """
    values = [row[what] for row in rows]
    first, last = values[:len(values) // 2], values[len(values) // 2:]
    if not first:
        return 0.0
    return min(statistics.mean(last) / max(statistics.mean(first), 1), max(last) / max(*first, 1)) - 1


def day(bench):
    lab = bench.laboratory
    # Less than the contents of such a day, more than its lines.
    lab.max_size = f"{max(256, int(100 * bench.chosen.minutes))}MiB"
    odd = machine.start([sys.executable, HERE / "odd_origin.py", *lab.origin_leaf], *ALL_CORES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        odd_ports = [int(word) for word in odd.stdout.readline().split()]
        proxy = bench.begin(Day)
        try:
            return report(bench, *through(bench, proxy, odd_ports))
        finally:
            proxy.close()
    finally:
        odd.stdin.close()
        odd.wait()


def through(bench, proxy, odd_ports):
    samples = Samples(proxy)
    timetable = Timetable(bench, proxy)
    at_start = samples.now()
    visitors = Visitors(bench, proxy, odd_ports)
    try:
        timetable.run()
        timetable.saw()
        of_last = [row for row in samples.rows if row["pid"] == proxy.pid]
    finally:
        visitors.close()
    end = time.monotonic() + 20
    while (at_end := samples.now())["sockets"] > at_start["sockets"] and time.monotonic() < end:
        time.sleep(0.5)
    samples.close()
    proxy.ask("stop")
    if code := proxy.process.wait(60):
        timetable.wrong.put(f"the proxy ended with {code}")
    timetable.sealed.append(proxy.case_name(len(CASE_ENDS) - 1))
    verified = {name: proxy.ask("evidence", "verify", name) for name in timetable.sealed}
    facts = {name: facts_of(proxy.folder / "cases" / name) for name in timetable.sealed}
    return timetable, visitors, at_start, of_last, at_end, verified, facts, proxy


def facts_of(case):
    """Lines of its log, flows among them, purges, and its size."""
    lines = flows = purges = 0
    for file in sorted((case / "log").iterdir()):
        with file.open("rb") as text:
            for line in text:
                lines += 1
                kind = line[:120]
                flows += b'"type":"flow-start"' in kind
                purges += b'"type":"purged"' in kind
    return {"lines": lines, "flows": flows, "purges": purges, "mib": sum(path.stat().st_size for path in case.rglob("*") if path.is_file()) / (1 << 20)}


def report(bench, timetable, visitors, at_start, of_last, at_end, verified, facts, proxy):
    wrong = []
    while not timetable.wrong.empty():
        wrong.append(timetable.wrong.get())
    # Who was there while one case ended and the next began may have been turned away.
    for each in visitors.wrong:
        if not any(each["begun"] < ended and each["ended"] > begun for begun, ended in timetable.changes):
            wrong.append(f"{each['begun'] - timetable.begun:.0f} s, {each['wrong']}: {each['error']}")
    for name, (code, text) in verified.items():
        if code or "INTACT" not in text:
            wrong.append(f"{name} does not verify: {text[-300:]}")
    second_half = of_last[len(of_last) // 2:]
    grown = {what: growth(second_half, what) for what in ("rss", "own", "descriptors", "sockets", "threads")}
    # Before it is warm, everything grows.
    if bench.chosen.minutes >= 5:
        wrong += [f"{what} grew by {grown[what]:.1%} from the third to the last quarter of the last case" for what in ("rss",) if grown[what] > MOST_GROWTH]
    if at_end["sockets"] > at_start["sockets"]:
        wrong.append(f"{at_end['sockets']} sockets are open at the end, {at_start['sockets']} were at the start")
    bench.figures["day"] = {
        "samples": of_last, "start": at_start, "end": at_end, "growth": grown, "visits": visitors.counts, "answered": timetable.answered,
        "begun": timetable.begun, "reset": timetable.reset, "reloads": timetable.reload_times, "cases": facts, "wrong": wrong, "log": machine.tail(proxy.log)}
    bench.failures += wrong
    count = sum(visitors.counts.values())
    seconds = timetable.length
    lines = [
        f"{bench.chosen.minutes:g} minutes: {count} visits of {len(visitors.counts)} kinds, {timetable.answered} more exchanges, {timetable.reset} streams reset; "
        f"{(count + timetable.answered) / seconds:.0f} a second. Turned away while a case ended: {len(visitors.wrong)}; other errors: {len(wrong)}.",
        f"{timetable.reloads} reloads, each {statistics.median(timetable.reload_times) * 1000:.0f} ms in the middle, {max(timetable.reload_times) * 1000:.0f} ms at most.", "",
        "| held | at the start | second half of the last case: least, mean, most | grew by | at the end, all closed |", "| --- | --: | --- | --: | --: |"]
    for what, title, scale in (("rss", "RSS, MiB", 1024), ("own", "of it the process's own, MiB", 1024), ("descriptors", "descriptors", 1), ("sockets", "of them sockets", 1), ("threads", "threads", 1)):
        values = [row[what] / scale for row in second_half] or [0]
        lines.append(f"| {title} | {at_start[what] / scale:.0f} | {min(values):.0f}, {statistics.mean(values):.0f}, {max(values):.0f} | {grown[what]:+.1%} | {at_end[what] / scale:.0f} |")
    lines += ["", "| case | verifies | lines | flows | purges | MiB |", "| --- | --- | --: | --: | --: | --: |"]
    for name, each in facts.items():
        word = verified[name][1].splitlines()[-1] if verified[name][1] else "nothing"
        lines.append(f"| {name} | {word} | {each['lines']} | {each['flows']} | {each['purges']} | {each['mib']:.0f} |")
    return lines
