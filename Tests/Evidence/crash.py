#!/usr/bin/env python3
"""Crashes the real binary in the middle of traffic, and looks at what is there afterwards.

    crash.py [--kills 20] [--seed 1]        (TIDEWAITER_BIN as in Tests/Loopback)

Prints a table; exits with 1 if anything that a tree head acknowledged is gone, or a verifier says ALTERED.
"""

import argparse
import collections
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/Loopback"))

from harness import binary, environment_with  # noqa: E402

NAME = "origin.example"


def second_verifier():
    spec = importlib.util.spec_from_file_location("second", REPOSITORY / "docs/verify/verify.py")
    second = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(second)

    def conclusion(case):
        with contextlib.redirect_stdout(io.StringIO()):
            return second.conclusion(str(case))

    return conclusion


def log_of(case):
    """The whole lines of a log as they lie there."""
    data = b"".join(file.read_bytes() for file in sorted((case / "log").iterdir()))
    return data[:data.rfind(b"\n") + 1].splitlines()


def acknowledged(lines):
    """The lines that the last tree head covers."""
    sizes = [json.loads(line)["size"] for line in lines if b'"type":"tree-head"' in line[:140]]
    return lines[:max(sizes, default=0)]


class Traffic:
    """Clients that post through the proxy until they are told to stop, or the proxy is gone."""

    def __init__(self, proxy, port, seed, clients=3):
        self.proxy, self.port, self.isOver, self.done = proxy, port, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(seed * 10 + number,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        chance = random.Random(seed)
        while not self.isOver.is_set():
            with contextlib.suppress(Exception):  # whatever a kill does to a connection
                body = chance.randbytes(chance.choice([10, 2_000, 200_000]))
                self.proxy.fetch(NAME, self.port, f"/echo?imei=490154203237518&n={chance.random()}", "POST", body)
                self.done += 1
            if self.proxy.process.poll() is not None:
                return

    def stop(self):
        self.isOver.set()
        for thread in self.threads:
            thread.join()


def kills(proxy, port, rounds, seed):
    """Kills the proxy again and again, at random moments; what each time came to, and the problems."""
    chance, second, problems = random.Random(seed), second_verifier(), []
    table, kept = collections.Counter(), []
    for number in range(rounds):
        if number:
            proxy.start("--case", "case")
        traffic = Traffic(proxy, port, seed * 1_000 + number)
        time.sleep(chance.uniform(0.05, 0.9))  # the moment is what is random here
        proxy.kill()
        traffic.stop()
        lines = log_of(proxy.case)
        if lines[:len(kept)] != kept:
            problems.append(f"kill {number + 1}: lines that a tree head covered are not there")
        kept = acknowledged(lines)
        said = proxy.run("evidence", "verify", "case", expect=None).out.splitlines()[-1]
        theirs = second(proxy.case)
        table[said.split(" (")[0].split(" from")[0].split(" at")[0]] += 1
        table["requests"] += traffic.done
        if said.startswith("ALTERED") or theirs.split(" (")[0] != said.split(" (")[0]:
            problems.append(f"kill {number + 1}: {said}; verify.py {theirs}")
    proxy.start("--case", "case")
    proxy.stop()
    lines = log_of(proxy.case)
    if lines[:len(kept)] != kept:
        problems.append("after the last kill: lines that a tree head covered are not there")
    said = proxy.run("evidence", "verify", "case", expect=None).out.splitlines()[-1]
    if (said, second(proxy.case)) != ("INTACT", "INTACT"):
        problems.append(f"sealed: {said}; verify.py {second(proxy.case)}")
    kinds = collections.Counter(json.loads(line)["type"] for line in lines)
    table.update({"lines": len(lines), "acknowledged": len(kept), "starts": kinds["start"], "recovered": kinds["recovered"] + kinds["wire-recovered"]})
    return table, problems


def second_writer(proxy):
    """Another `run` on the case that is being recorded; what it said, and its exit code."""
    done = proxy.run("run", "-c", "tidewaiter.yaml", "--case", "case", expect=None)
    return done.code, done.err.strip()


def read_only(folder):
    """`run` where the cases are on a read-only file system; None if such a one cannot be made here."""
    (folder.path / "cases").mkdir(exist_ok=True)
    script = 'mount --bind cases cases && mount -o remount,ro,bind cases || exit 77; exec "$0" run -c tidewaiter.yaml'
    try:
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script, str(binary())], cwd=folder.path, capture_output=True,
                              text=True, timeout=60, env=environment_with())
    except FileNotFoundError:
        return None
    if done.returncode == 77 or "unshare" in done.stderr:
        return None
    return done.returncode, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""


def main():
    import pki
    from harness import Folder, Proxy
    from origins import Origin

    arguments = argparse.ArgumentParser()
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    with Origin(leaf=pki.shared().leaf(NAME)) as server, Proxy(hosts={NAME: "127.0.0.1"}, config={"case": {"wire": True}}) as proxy:
        code, said = second_writer(proxy)
        table, problems = kills(proxy, server.port, options.kills, options.seed)
    print("| crash | what is there afterwards |\n| --- | --- |")
    print(f"| {options.kills} times killed in the middle of traffic ({table['requests']} requests), and gone on with | "
          f"{table['INTACT']} times INTACT at once, {table['INCOMPLETE']} times INCOMPLETE from a line after the last tree head; at the end {table['lines']} lines of "
          f"{table['starts']} sessions, {table['recovered']} repairs said, INTACT |")
    print(f"| a second writer | exit {code}: {said.replace(str(proxy.path), '')} |")
    folder = Folder()
    found = read_only(folder)
    folder.close()
    print(f"| a read-only disk | {'not tried: no mount namespace here' if found is None else f'exit {found[0]}: {found[1]}'} |")
    for problem in problems:
        print(f"WRONG: {problem}")
    sys.exit(bool(problems) or code != 2)


if __name__ == "__main__":
    main()
