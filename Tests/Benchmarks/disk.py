"""Contents to disk: bodies that the case does not have yet, through the whole product, until they are in it."""

import os
import re
import subprocess
import time

import laboratory
import machine
import proxies

ALL_CORES = tuple(machine.CORES)
# Of random bytes, each another: how many, and how large.
CONTENTS = {"1 MiB": (512, laboratory.MIB), "2 KiB": (8192, 2 << 10)}


class WithWire(proxies.Recording):
    name, title, cores, wire = "wire", "`wire: true`", ALL_CORES, True

    def write(self):
        self.changes = {"case": {"dir": "cases", "name": "disk", "wire": self.wire}}
        return super().write()

    @property
    def case(self):
        return self.folder / "cases/disk"

    def close(self):
        # Its files stay until all is over: where thousands were removed, ext4 takes minutes to make new ones as fast as before.
        machine.end(self.process)

    def ask(self, *words):
        done = subprocess.run([self.binary, *map(str, words), "-c", self.configuration], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stdout.strip() or done.stderr.strip()


class WithoutWire(WithWire):
    name, title, wire = "no-wire", "`wire: false`", False


def contents(case):
    """How many bodies the case has."""
    return sum(len(files) for _, _, files in os.walk(case / "bodies"))


def make(www, size):
    count, bytes_each = CONTENTS[size]
    folder = www / size.replace(" ", "")
    if not folder.exists():
        folder.mkdir()
        for number in range(1, count + 1):
            (folder / f"{number}.bin").write_bytes(os.urandom(bytes_each))
    return folder.name


def fetch(bench, proxy, folder, count):
    """All of them by curl, 8 at once; each answered with 200 and whole."""
    lab = bench.laboratory
    url = f"https://{laboratory.DOMAIN}:{lab.port}/{folder}/[1-{count}].bin"
    words = ["curl", "--silent", "--show-error", "--disable", "--parallel", "--parallel-max", 8, "--proxy", f"http://127.0.0.1:{proxy.port}", "--cacert", lab.authority[0],
             "--http1.1", "--write-out", "%{http_code} %{size_download}\\n", "-o", os.devnull, url]
    return machine.start(words, *ALL_CORES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def round_of(bench, kind, size):
    count, bytes_each = CONTENTS[size]
    folder = make(bench.laboratory.www, size)
    proxy = bench.begin(kind)
    try:
        before, used, begun = contents(proxy.case), machine.cpu(proxy.pid), time.monotonic()
        client = fetch(bench, proxy, folder, count)
        said, complaint = client.communicate()
        answered = time.monotonic() - begun
        if client.returncode or sum(line == f"200 {bytes_each}" for line in said.split("\n")) != count:
            bench.failures.append(f"disk: {kind.title}: not every body of {size} came (curl: {client.returncode}): {complaint[-300:]}")
        end = begun + 300
        while contents(proxy.case) - before < count and time.monotonic() < end:
            time.sleep(0.02)
        kept, used = time.monotonic() - begun, machine.cpu(proxy.pid) - used
        code, text = proxy.ask("stop")
        if code or proxy.process.wait(60):
            bench.failures.append(f"disk: stop ended with {code}: {text[-300:]}")
        code, text = proxy.ask("evidence", "verify", "disk")
        if code or not re.search("^INTACT", text, re.MULTILINE):
            bench.failures.append(f"disk: the case of {kind.title} does not verify: {text[-300:]}")
    finally:
        proxy.close()
    mebibytes = count * bytes_each / laboratory.MIB
    return {"answered": mebibytes / answered, "kept": mebibytes / kept, "bodies": count / kept, "cpu": used * 1024 / mebibytes}


def disk(bench):
    """What comes to `bodies/` a second, curl, nginx and both of the proxy's threads on the same cores."""
    lines = ["| each body | recorded with | answered, MiB/s | in the case, MiB/s | bodies a second | CPU s per GiB |", "| --- | --- | --: | --: | --: | --: |"]
    bench.figures["disk"] = {}
    for size in CONTENTS:
        for kind in (WithoutWire, WithWire):
            rounds = [round_of(bench, kind, size) for _ in range(min(3, bench.chosen.rounds))]
            bench.figures["disk"][f"{size}, {kind.name}"] = rounds
            middle = sorted(rounds, key=lambda each: each["kept"])[len(rounds) // 2]
            lines.append(f"| {size} | {kind.title} | {middle['answered']:.0f} | {middle['kept']:.0f} | {middle['bodies']:.0f} | {middle['cpu']:.1f} |")
    return lines
