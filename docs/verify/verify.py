#!/usr/bin/env python3
"""verify.py CASE [--signer FINGERPRINT]: checks a Tidewaiter case by docs/evidence-format.md.
Independent of Tidewaiter's code on purpose: Python's standard library, and the programs openssl and zstd."""
import base64, functools, hashlib, json, os, pathlib, re, subprocess, sys, tempfile
LINE = re.compile(rb'\{"seq":([1-9]\d{0,17}),"time":"[^"\\\0-\x1f]*","type":"([^"\\\0-\x1f]*)","prev":"([^"\\]{64})"')
TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\Z')
FINDING = "flow time device url direction region address kind certainty location path encoding offset length value decided applied rule".split()
UNLISTED = re.compile(r"manifest\.(json|sig|tsr)$|purges\.ndjson$|secret$|flows\.sqlite|bodies/tmp/")
class Verdict(Exception): pass
def altered(sequence, what): raise Verdict(f"ALTERED at seq {sequence} ({what})" if sequence else f"ALTERED ({what})")
def sha(data): return hashlib.sha256(data).digest()
def read(path): return pathlib.Path(path).read_bytes() if os.path.isfile(path) else b""
def members(data):  # of members of one name the first counts
    try: value = json.loads(data, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    except (ValueError, RecursionError): return None
    return value if isinstance(value, dict) else None
def parsed(line):  # (number, prev), type, hashed part, hash and members of a line whose hash follows from its own prev; or None
    start, tail = LINE.match(line), TAIL.search(line)
    event = members(line) if start and tail and len(line) <= 4 << 20 else None
    right = event and hashlib.sha256(start[3] + line[:tail.start()]).hexdigest().encode() == tail[1]
    return ((int(start[1]), start[3]), start[2].decode(), line[:tail.start()], tail[1], event) if right else None
@functools.cache
def is_signed(key, message, signature):  # Ed25519; the key as SubjectPublicKeyInfo in DER
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key", key), ("message", message), ("signature", signature)): pathlib.Path(folder, name).write_bytes(data)
        return not subprocess.run("openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in message -sigfile signature".split(), cwd=folder, capture_output=True).returncode
def key_of(pem):
    match = re.fullmatch(rb"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/]{59}=)\n-----END PUBLIC KEY-----\n", pem)
    return base64.b64decode(match[1]) if match else b""
def content(path):  # the digest and size of what a file of bodies/ holds
    zstd = subprocess.run(["zstd", "-dcq", path], capture_output=True)
    return (sha(zstd.stdout).hex(), len(zstd.stdout)) if not zstd.returncode else (None, 0)
def root_of(peaks): return functools.reduce(lambda root, peak: sha(b"\1" + peak + root), reversed([node for _, node in peaks])).hex() if peaks else sha(b"").hex()
def purges_of(case, key):  # the contents and files of wire/ that were removed after the seal; what is wrong with purges.ndjson
    contents, wire, previous = set(), set(), sha(read(f"{case}/manifest.json")).hex().encode()
    for number, line in enumerate(read(f"{case}/purges.ndjson").split(b"\n")[:-1], 1):  # half a line is what a kill leaves
        found = parsed(line)
        event = found[4] if found and found[0] == (number, previous) else {}
        tail = f',"key":"{sha(key).hex()}","signature":"{event.get("signature")}"'.encode()
        message = b"tidewaiter purge v1\n%s\n" % sha(found[2][:-len(tail)]).hex().encode() if event else b""
        if not event or not found[2].endswith(tail) or not is_signed(key, message, base64.b64decode(event["signature"])):
            return contents, wire, f"purges.ndjson: line {number} was altered"
        contents.update(event["files"] if "files" in event else event["contents"]); wire.update(event["wire"]); previous = found[3]
    return contents, wire, None
def verify(case, signer):
    sealed, description, sealer = os.path.exists(f"{case}/manifest.json"), read(f"{case}/case.json"), key_of(read(f"{case}/signer.pem"))
    about, (gone, gone_wire, purge_problem) = members(description) or {}, purges_of(case, sealer) if sealed else (set(), set(), None)
    previous, sequence, broken, covered, last_start, case_sha256, kind, hidden = b"0" * 64, 0, 0, 0, 0, None, None, bool(about.get("encryption"))
    if hidden: print("encrypted: contents, findings and secret were not opened; all else is checked")  # lines hide which contents they name
    peaks, known, faults, hard, findings, claims, keys, incomplete = [], {}, {}, [], [], {}, [], []
    roots, base, unsigned, purged = [root_of([])], 0, 0, False  # roots[i] is of base + i lines; the first unsigned head of a session with a key
    def name(sha256, size, at):
        path = f"{case}/bodies/{sha256[:2]}/{sha256}"
        if not re.fullmatch("[0-9a-f]{64}", sha256): hard.append((at, f"body {sha256[:64]}: not a digest"))
        elif sha256 not in known and sha256 not in faults:
            there = os.path.isfile(path); digest, count = content(path) if there else (None, 0)
            if digest == sha256: known[sha256] = count
            else: faults[sha256] = (at, f"body {sha256} {'was altered' if there else 'is missing'}", there)
        if size not in (None, known.get(sha256, size)): hard.append((at, f"body {sha256} was altered"))
    def excuse(digests, even_damaged):
        for sha256 in digests:
            known.pop(sha256, None)
            if even_damaged or not faults.get(sha256, (0, 0, 0))[2]: faults.pop(sha256, None)
    segments = sorted(int(n[:-7]) for n in os.listdir(f"{case}/log") if re.fullmatch(r"\d{6,}\.ndjson", n))
    for number, segment in enumerate(segments, 1):
        if segment != number: altered(sequence + 1, f"log/{number:06}.ndjson is missing")
        for index, line in enumerate(open(f"{case}/log/{segment:06}.ndjson", "rb")):
            torn, line, found = not line.endswith(b"\n"), line.rstrip(b"\n"), parsed(line[:-1]) if line.endswith(b"\n") else None
            if not broken and (not found or found[0] != (sequence + 1, previous)):
                broken = sequence + 1
                if number < len(segments) or sealed and not torn: altered(broken, "the chain breaks")
            if broken:  # a tree head that is right by itself still says something: of lines that were there
                if found and found[1] == "tree-head" and found[4]["size"] >= broken: altered(broken, "the chain breaks")
                continue
            (sequence, _), kind, _, previous, event = found
            if number > 1 and not index and kind != "segment": altered(sequence, "it is not what comes first")
            if kind == "start":
                if unsigned and not purged: altered(unsigned, "its tree head is not signed")
                unsigned, purged, last_start, case_sha256 = 0, False, sequence, case_sha256 or event["case_sha256"]; keys.append(event["signer"] and base64.b64decode(event["signer"]))
            elif kind == "segment":
                if (event["number"], index, event["tree"]) != (number, 0, [peak.hex() for _, peak in peaks]): altered(sequence, "its tree is another")
                base, roots = sequence - 1, roots[-1:]
            elif kind == "tree-head":
                size, key, mark = event["size"], keys[-1] if keys else None, event["signature"]
                if not base <= size < sequence or event["root"] != roots[size - base]: altered(sequence, "its tree head is of other lines")
                message = f"tidewaiter tree head v1\n{case_sha256}\n{size}\n{event['root']}\n".encode()
                if key and not mark and not event["key"]: unsigned = unsigned or sequence
                elif (mark or event["key"]) if not key else (event["key"] != sha(key).hex() or unsigned and not purged or not is_signed(key, message, base64.b64decode(mark or b""))):
                    altered(sequence, "the signature of its tree head is wrong")
                base, roots, covered = size, roots[size - base:], size
            elif kind == "finding" and not hidden: findings.append((sequence, json.dumps({key: event.get(key) for key in FINDING}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"))
            elif kind in ("wire", "wire-recovered"):
                stated = [claim for claim in claims.get(event["segment"], []) if kind == "wire" or claim[1] <= covered]
                claims[event["segment"]] = stated + [(event["bytes" if kind == "wire" else "size"], sequence, event["sha256"])]
            elif kind == "purged": purged = True; excuse(event.get("contents", []), False); gone_wire.update(event["wire"])
            if kind == "recovered": excuse(event.get("lost", []), True)
            if kind in ("body", "head", "trailers", "message", "recovered") and event.get("sha256"):
                name(event["sha256"], None if event.get("truncated") else event["bytes" if kind == "recovered" else "size"], sequence)
            for sha256 in event.get("chain", []) if kind == "handshake" else []: name(sha256, None, sequence)
            node, size = sha(b"\0" + line), 1
            while peaks and peaks[-1][0] == size: node, size = sha(b"\1" + peaks.pop()[1] + node), size * 2
            peaks.append((size, node)); roots.append(root_of(peaks))
    if unsigned and not purged and not (sealed and sealer != keys[-1]): altered(unsigned, "its tree head is not signed")
    def judge(at, what):  # a crash harms nothing that a tree head covers
        if sealed or at <= covered or at < last_start: altered(at, what)
        incomplete.append(at)
    for at, what in sorted(hard + [(at, what) for digest, (at, what, there) in faults.items() if there or digest not in gone]): judge(at, what)
    incomplete += [broken] * bool(broken)
    lines = read(f"{case}/findings.ndjson")
    for at, wanted in findings:
        if not lines.startswith(wanted):
            if lines != wanted[:len(lines)] or sealed or at <= covered or at < last_start: judge(at, "its line in findings.ndjson was altered or is missing")
            lines = b""; break
        lines = lines[len(wanted):]
    secret, signers = b"" if hidden else read(f"{case}/secret"), {key and sha(key).hex() for key in keys + [sealer] * sealed}
    for wrong, what in ((case_sha256 and sha(description).hex() != case_sha256, "case.json"), (secret and sha(secret).hex() != about.get("secret_sha256"), "secret"),
                        (not sealed and keys and keys[-1] and sealer != keys[-1], "signer.pem"), (signer and signers - {signer}, "signer")):
        if wrong: altered(None, what)
    if not sequence or lines or kind == "sealed" and not sealed: incomplete.append(sequence + 1)
    if sealed:
        manifest = json.loads(data := read(f"{case}/manifest.json"))
        if not is_signed(sealer, data, read(f"{case}/manifest.sig")): altered(None, "manifest.json: its signature is wrong")
        if sequence < manifest["last_seq"]: incomplete.append(sequence + 1)
        if incomplete: raise Verdict(f"INCOMPLETE from seq {min(incomplete)}")
        present = {os.path.relpath(os.path.join(folder, name), case) for folder, _, names in os.walk(case) for name in names}
        for path, digest in ((entry["path"], entry["sha256"]) for entry in manifest["files"]):
            if path in present and sha(read(f"{case}/{path}")).hex() != digest: altered(None, f"{path} was altered")
            if path not in present and not (path[:7] == "bodies/" and path[10:] in gone or path[:5] == "wire/" and int(path[5:-4]) in gone_wire): altered(None, f"{path} is missing")
            present.discard(path)
        for path in sorted(present): UNLISTED.match(path) or altered(None, f"{path} is not in the manifest")
        if [manifest[key] for key in ("last_seq", "last_hash", "tree_size", "tree_root")] != [sequence, previous.decode(), sequence, roots[-1]]: altered(None, "the log does not end where manifest.json says")
        if purge_problem: altered(None, purge_problem)
    there = {int(n[:-4]) for n in os.listdir(f"{case}/wire") if re.fullmatch(r"\d{6,9}\.bin", n)} - {0} if os.path.isdir(f"{case}/wire") else set()
    for number in range(1, max(there | set(claims), default=0) + 1):
        path, data, index = f"wire/{number:06}.bin", read(f"{case}/wire/{number:06}.bin"), 16; header = b"TIDEWIRE\0\0\0\1" + number.to_bytes(4, "big")
        if number not in there | set(claims) - gone_wire: number in gone_wire or altered(None, f"{path} is missing"); continue
        wrong = [at for size, at, digest in sorted(claims.get(number, [])) if number not in there or size > len(data) or sha(data[:size]).hex() != digest]
        if wrong: judge(wrong[0], f"{path} was altered or is missing"); continue
        if data[:1] != b"\0" and not header.startswith(data[:16]): altered(None, f"{path} has what is no record")
        while data[:16] == header and data[index:index + 1] != b"\0" and len(data) >= (end := index + 21 + int.from_bytes(data[index + 17:index + 21], "big")) \
                and index + 21 <= len(data) and end - index - 21 <= 1 << 20: index = end
        if data and index != len(data) and (sealed or number < max(there)): altered(None, f"{path} does not end with a whole record")
    raise Verdict(f"INCOMPLETE from seq {min(incomplete)}" if incomplete else "INTACT")
def conclusion(case, signer=None):
    try: verify(case.rstrip("/"), signer)
    except (Verdict, ValueError, TypeError, LookupError, OSError) as end: return str(end) if isinstance(end, Verdict) else "ALTERED (not of the format)"
if __name__ == "__main__":
    if len(sys.argv) not in (2, 4) or sys.argv[2:3] not in ([], ["--signer"]): sys.exit(__doc__.splitlines()[0])
    sys.exit(print(said := conclusion(sys.argv[1], sys.argv[3] if sys.argv[3:] else None)) or said != "INTACT")
