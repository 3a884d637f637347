#!/usr/bin/env python3
"""verify.py CASE: checks a Tidewaiter case by docs/evidence-format.md, with Python's standard library alone.

Independent of Tidewaiter's code on purpose. Contents in bodies/ are checked too if the program zstd is installed.
"""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys

TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}$')
FINDING = ("flow time device url direction region address kind certainty location path encoding "
           "offset length value decided applied rule").split()
UNLISTED = re.compile(r"manifest\.(json|sig|tsr)$|secret$|flows\.sqlite|bodies/tmp/")


def altered(sequence, what):
    print(f"ALTERED at seq {sequence} ({what})" if sequence else f"ALTERED ({what})")
    sys.exit(1)


def incomplete(sequence):
    print(f"INCOMPLETE from seq {sequence}")
    sys.exit(1)


def digest_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def digest_of_content(path):
    with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd:
        digest = hashlib.sha256()
        while piece := zstd.stdout.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() if zstd.returncode == 0 else None


def problem_of_wire(case):
    folder, records = f"{case}/wire", 0
    names = []
    if os.path.isdir(folder):
        names = sorted((name for name in os.listdir(folder)
                        if re.fullmatch(r"\d{6,9}\.bin", name) and name == f"{int(name[:-4]) or -1:06}.bin"),
                       key=lambda name: int(name[:-4]))
    for number, name in enumerate(names, 1):
        if int(name[:-4]) != number:
            return f"wire/{number:06}.bin is missing"
        with open(f"{folder}/{name}", "rb") as file:
            header, problem = file.read(16), None
            if header.startswith(b"\0"):
                problem = "has what is no record"
            elif not (b"TIDEWIRE" + struct.pack(">II", 1, number)).startswith(header):
                return f"wire/{name} has what is no record"
            elif 0 < len(header) < 16:
                problem = "ends in half a record"
            while not problem and (head := file.read(21)):
                if len(head) < 21:
                    problem = "ends in half a record"
                    break
                kind, _, _, length = struct.unpack(">BQqI", head)
                if kind == 0 or length > 1 << 20:
                    problem = "has what is no record"
                elif len(file.read(length)) < length:
                    problem = "ends in half a record"
                else:
                    records += 1
        # At the end of a case that is not sealed it is what a kill or a power failure left.
        if problem and (number < len(names) or os.path.exists(f"{case}/manifest.json")):
            return f"wire/{name} {problem}"
    if names:
        print(f"wire: {records} records")
    return None


def verify(case):
    previous, sequence, torn = "0" * 64, 0, False
    contents, findings, description = {}, [], None
    segments = sorted(name for name in os.listdir(f"{case}/log") if name.endswith(".ndjson"))
    for number, name in enumerate(segments, 1):
        if int(name[:-7]) != number:
            altered(sequence + 1, f"segment {number} is missing")
        with open(f"{case}/log/{name}", "rb") as segment:
            for line in segment:
                wanted = sequence + 1
                if not line.endswith(b"\n"):
                    if number != len(segments):
                        altered(wanted, "the line does not end")
                    torn = True
                    break
                line = line[:-1]
                tail = TAIL.search(line)
                try:
                    event = json.loads(line)
                except ValueError:
                    event = None
                if not tail or not isinstance(event, dict):
                    altered(wanted, "the line is not an event")
                digest = hashlib.sha256(previous.encode() + line[:tail.start()]).hexdigest()
                if (digest.encode() != tail[1] or event.get("prev") != previous
                        or event.get("seq") != wanted):
                    altered(wanted, "the chain breaks")
                previous, sequence = digest, wanted
                for sha256 in [event.get("sha256")] + (event.get("chain") or []):
                    if event["type"] in ("body", "head", "trailers", "message", "handshake") and sha256:
                        contents.setdefault(sha256, wanted)
                if event["type"] == "finding":
                    findings.append((wanted, {key: event[key] for key in FINDING}))
                if event["type"] == "start" and description is None:
                    description = event["case_sha256"]
    print(f"chain: {sequence} lines, the last with hash {previous}")

    has_zstd = shutil.which("zstd") is not None
    for sha256, first in contents.items():
        path = f"{case}/bodies/{sha256[:2]}/{sha256}"
        if not os.path.isfile(path):
            altered(first, f"body {sha256} is missing")
        if has_zstd and digest_of_content(path) != sha256:
            altered(first, f"body {sha256} was altered")
    print(f"bodies: {len(contents)} contents" + ("" if has_zstd else ", NOT decompressed: zstd is not installed"))

    ahead = False
    if os.path.exists(f"{case}/findings.ndjson"):
        with open(f"{case}/findings.ndjson", "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        for (first, finding), line in zip(findings, lines):
            if json.dumps(finding, ensure_ascii=False, separators=(",", ":")) != line.decode():
                if finding != json.loads(line):
                    altered(first, "its line in findings.ndjson was altered")
        ahead = len(lines) > len(findings)
    if description and digest_of_file(f"{case}/case.json") != description:
        altered(None, "case.json")

    wire = problem_of_wire(case)
    if not os.path.exists(f"{case}/manifest.json"):
        print("seal: none; lines cut off at the end would not be noticed")
        if torn or ahead:
            incomplete(sequence + 1)
        if wire:
            altered(None, wire)
        return
    with open(f"{case}/manifest.json", "rb") as file:
        manifest = json.load(file)
    if sequence < manifest["last_seq"]:
        incomplete(sequence + 1)
    if torn:
        incomplete(sequence + 1)
    openssl = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{case}/signer.pem", "-rawin",
         "-in", f"{case}/manifest.json", "-sigfile", f"{case}/manifest.sig"],
        capture_output=True)
    if openssl.returncode != 0:
        altered(None, "manifest.json: its signature is wrong")
    present = set()
    for folder, _, names in os.walk(case):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), case)
            if not UNLISTED.match(path):
                present.add(path)
    for entry in manifest["files"]:
        path = f"{case}/{entry['path']}"
        if entry["path"] not in present:
            altered(None, f"{entry['path']} is missing")
        if os.path.getsize(path) != entry["size"] or digest_of_file(path) != entry["sha256"]:
            altered(None, f"{entry['path']} was altered")
        present.remove(entry["path"])
    if present:
        altered(None, f"{min(present)} is not in the manifest")
    if (manifest["last_seq"], manifest["last_hash"]) != (sequence, previous):
        altered(None, "the log does not end where manifest.json says")
    if wire:
        altered(None, wire)
    print(f"seal: {len(manifest['files'])} files, signed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[0])
    verify(sys.argv[1].rstrip("/"))
    print("INTACT")
