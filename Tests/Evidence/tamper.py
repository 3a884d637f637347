#!/usr/bin/env python3
"""Tampers with cases in a thousand random ways, and has each looked at by both verifiers.

    tamper.py [--count 1000] [--seed 1] [--binary .build/debug/tidewaiter] [--keep FOLDER]

Makes a small case of format 2 with a key of its own, open and sealed, and for each tampering a copy of one of them. Every
one must be caught by `tidewaiter evidence verify` and by docs/verify/verify.py, in the same words up to the number of the
line; what an open case cannot show is counted apart, on top of those. Standard library, and the programs openssl and zstd.
Prints a table; exits with 1 if anything slipped through.
"""
import argparse, base64, collections, contextlib, functools, hashlib, hmac, importlib.util, io, json, os, pathlib, random, re
import shutil, struct, subprocess, sys, tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
START = "2026-11-22T18:04:05.000000Z"
TAIL = 75  # ,"hash":"..."}


def sha(data):
    return hashlib.sha256(data).digest()


class Key:
    """An Ed25519 key, used by way of openssl."""

    def __init__(self, folder, name):
        self.path, self.folder = f"{folder}/{name}.pem", folder
        self.run("genpkey", "-algorithm", "ed25519", "-out", self.path)
        self.pem = self.run("pkey", "-in", self.path, "-pubout")
        self.der = self.run("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        self.text, self.fingerprint = base64.b64encode(self.der).decode(), sha(self.der).hex()

    @staticmethod
    def run(*words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True).stdout

    @functools.cache
    def sign(self, message):
        path = f"{self.folder}/message"
        pathlib.Path(path).write_bytes(message)
        return self.run("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", path)


def root_of(peaks):
    if not peaks:
        return sha(b"").hex()
    node = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        node = sha(b"\1" + left + node)
    return node.hex()


class Log:
    """Lines with a right chain, and tree heads by any key or none."""

    def __init__(self, case_sha256, key):
        self.case_sha256, self.key = case_sha256, key
        self.lines, self.peaks, self.previous = [], [], "0" * 64

    def put(self, kind, members, time=START):
        start = f'{{"seq":{len(self.lines) + 1},"time":"{time}","type":"{kind}","prev":"{self.previous}"'
        hashed = (f"{start},{members}" if members else start).encode()
        self.previous = hashlib.sha256(self.previous.encode() + hashed).hexdigest()
        self.take(hashed + f',"hash":"{self.previous}"}}'.encode())

    def take(self, line):
        """Appends a line as it is."""
        self.previous = line[-66:-2].decode("latin-1")
        node, size = sha(b"\0" + line), 1
        while self.peaks and self.peaks[-1][0] == size:
            node, size = sha(b"\1" + self.peaks.pop()[1] + node), size * 2
        self.peaks.append((size, node))
        self.lines.append(line)

    def head(self):
        size, root = len(self.lines), root_of(self.peaks)
        message = f"tidewaiter tree head v1\n{self.case_sha256}\n{size}\n{root}\n".encode()
        marks = '"key":null,"signature":null'
        if self.key:
            marks = f'"key":"{self.key.fingerprint}","signature":"{base64.b64encode(self.key.sign(message)).decode()}"'
        self.put("tree-head", f'"size":{size},"root":"{root}",{marks}')

    def segment(self, number):
        tree = ",".join(f'"{node.hex()}"' for _, node in self.peaks)
        self.put("segment", f'"number":{number},"next_flow":9,"next_connection":9,"findings":0,"tree":[{tree}]')


def frame(content):
    """What zstd makes of a content: compressed, so that flipped bits meet all parts of the format."""
    return subprocess.run(["zstd", "-1", "-q", "-c", "--no-check", f"--stream-size={len(content)}"], input=content, capture_output=True, check=True).stdout


class Sample:
    """A case of three segments as files in memory: {path: bytes}."""

    def __init__(self, key, seed):
        self.random, self.key, self.files, self.bodies = random.Random(seed), key, {}, []
        secret = self.random.randbytes(32)
        about = ('"tool":"tidewaiter","version":"0.0.0","mode":"record","operator":"A. Tester","devices":["phone"],'
                 '"watched":["XX"],"configuration":[],"rules":[],"regions":[]')
        case = f'{{"format":2,"case":"t","created":"{START}",{about},"secret_sha256":"{sha(secret).hex()}"}}\n'.encode()
        self.files.update({"case.json": case, "secret": secret, "signer.pem": key.pem})
        log = self.log = Log(sha(case).hex(), key)
        self.cuts, found = [], []
        log.put("start", f'"case":"t","continued":false,"case_sha256":"{log.case_sha256}",{about},"keeps_bodies":true,'
                         f'"keeps_wire":true,"evidence":"required","signer":"{key.text}"')
        log.put("clock", '"monotonic":1,"system":1795370645000000000,"step":0')
        for number in range(1, 7):
            flow, connection = f'"flow":"f-{number:06}"', f'"connection":"c-{number:06}"'
            url = f"https://host{number}.example/v1/report?n={number}"
            log.put("connection", f'{connection},"client":"192.0.2.10","device":"phone"')
            log.put("handshake", f'{connection},"leg":"upstream","chain":["{self.content(b"leaf %d " % number * 30)}"],"verification":"ok"')
            log.put("flow-start", f'{flow},"method":"POST","url":"{url}","protocol":"http/1.1",{connection},"device":"phone"')
            log.put("head", f'{flow},"direction":"request","stage":"original","size":40,"data":"{base64.b64encode(self.random.randbytes(40)).decode()}"')
            text = json.dumps({"imei": "490154203237518", "n": number, "note": ["tide", "pool"] * 20}).encode()
            value = hmac.new(secret, f"imei\0{number}".encode(), hashlib.sha256).hexdigest()
            rest = (f'"device":"phone","url":"{url}","direction":"request","region":"XX","address":"203.0.113.7","kind":"imei",'
                    f'"certainty":"certain","location":"body","path":"$.imei","encoding":["plain"],"offset":9,"length":15,'
                    f'"value":"hmac:{value}","decided":"redact","applied":"log","rule":"identifiers"')
            log.put("finding", f'{flow},{rest},"inspector":"needles"')
            found.append(f'{{{flow},"time":"{START}",{rest}}}\n'.encode())
            log.put("body", f'{flow},"direction":"request","stage":"original","size":{len(text)},"sha256":"{self.content(text)}","complete":true')
            log.put("flow-end", f'{flow},"status":200,"request_bytes":{len(text)},"response_bytes":0,"findings":1,"error":null')
            path = f"wire/{(number + 2) // 3:06}.bin"
            wire = self.files.get(path) or b"TIDEWIRE" + struct.pack(">II", 1, (number + 2) // 3)
            self.files[path] = wire + struct.pack(">BQqI", 2, number, 1795370645 * 10**9, 60) + self.random.randbytes(60)
            log.put("wire", f'"segment":{(number + 2) // 3},"bytes":{len(self.files[path])},"sha256":"{sha(self.files[path]).hex()}"')
            if number % 2 == 0:
                log.head()
            if number in (2, 4):
                self.cuts.append(len(log.lines))
                log.segment(len(self.cuts) + 1)
        log.put("stop", "")
        log.head()
        self.files["findings.ndjson"] = b"".join(found)
        self.write_log(self.files, log.lines, self.cuts)

    def content(self, data):
        digest = sha(data).hex()
        self.files[f"bodies/{digest[:2]}/{digest}"] = frame(data)
        self.bodies.append(digest)
        return digest

    @staticmethod
    def write_log(files, lines, cuts):
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(lines)]), 1):
            files[f"log/{number:06}.ndjson"] = b"".join(line + b"\n" for line in lines[start:end])

    def sealed(self):
        """Files and lines of the case once it is sealed."""
        log = Log(self.log.case_sha256, self.key)
        for line in self.log.lines:
            log.take(line)
        log.put("sealed", '"reason":null')
        files = dict(self.files, **{"VERIFY.txt": b"See docs/evidence-format.md.\n"})
        self.write_log(files, log.lines, self.cuts)
        seal(files, log, self.key)
        return files, log.lines


def seal(files, log, key, signs=True):
    """Makes the manifest; signed, or with the signature that was there."""
    files.pop("manifest.json", None)
    rows = ",\n".join(f'{{"path":"{path}","size":{len(data)},"sha256":"{sha(data).hex()}"}}'
                      for path, data in sorted(files.items()) if path not in ("secret", "manifest.sig"))
    files["manifest.json"] = (f'{{"format":2,\n"case":"t",\n"sealed":"{START}",\n"last_seq":{len(log.lines)},\n"last_hash":"{log.previous}",\n'
                              f'"tree_size":{len(log.lines)},\n"tree_root":"{root_of(log.peaks)}",\n"files":[\n{rows}\n]}}\n').encode()
    if signs:
        files["manifest.sig"] = key.sign(files["manifest.json"])


class Tampering:
    """One case tampered with; `hidden` says what an open case cannot show of it."""

    def __init__(self, files, kind, hidden=None, by_signer=False):
        self.files, self.kind, self.hidden, self.by_signer = files, kind, hidden, by_signer


class Tamperer:
    def __init__(self, sample, key, other, seed):
        self.sample, self.key, self.other, self.random = sample, key, other, random.Random(seed)
        self.open = sample.files, sample.log.lines
        self.closed = sample.sealed()
        self.kinds = [name for name in dir(self) if name.startswith("do_")]

    def make(self, number):
        name = self.kinds[number % len(self.kinds)]
        while True:
            self.is_sealed = self.random.random() < 0.5
            files, self.lines = self.closed if self.is_sealed else self.open
            done = getattr(self, name)(dict(files))
            if done is None:
                continue  # it does not apply to what was chosen
            changed, *rest = done if isinstance(done, tuple) else (done,)
            if changed == files:
                continue
            tampering = Tampering(changed, name[3:].replace("_", " "), *rest)
            if not self.is_sealed and not tampering.hidden and self.is_cut(files, changed):
                tampering.hidden = "lines missing at the end of an open case"
            return tampering

    def is_cut(self, files, changed):
        """Whether nothing but whole lines are missing, and those at the end of the log."""
        def log(case):
            return b"".join(case[path] for path in sorted(case) if path.startswith("log/"))

        names = {path for path in changed if path.startswith("log/")}
        rest = {path: data for path, data in files.items() if not path.startswith("log/")}
        return (rest == {path: data for path, data in changed.items() if not path.startswith("log/")}
                and log(files).startswith(log(changed)) and log(changed).endswith(b"\n")
                and names == {f"log/{number:06}.ndjson" for number in range(1, len(names) + 1)})

    def pick(self, files, start):
        return self.random.choice(sorted(path for path in files if path.startswith(start)))

    def flip(self, files, start):
        if not any(path.startswith(start) for path in files):
            return None
        path = self.pick(files, start)
        data = bytearray(files[path])
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        files[path] = bytes(data)
        return files

    def do_bit_flipped_in_the_log(self, files): return self.flip(files, "log/")
    def do_bit_flipped_in_wire(self, files): return self.flip(files, "wire/")
    def do_bit_flipped_in_findings(self, files): return self.flip(files, "findings")
    def do_bit_flipped_in_the_manifest(self, files): return self.flip(files, "manifest.json")
    def do_bit_flipped_in_the_signature(self, files): return self.flip(files, "manifest.sig")
    def do_bit_flipped_in_case_json(self, files): return self.flip(files, "case.json")
    def do_bit_flipped_in_signer_pem(self, files): return self.flip(files, "signer.pem")
    def do_bit_flipped_in_the_secret(self, files): return self.flip(files, "secret")

    def do_bit_flipped_in_a_body(self, files):
        path = self.pick(files, "bodies/")
        before = files[path]
        self.flip(files, path)
        # Another spelling of the same bytes is the same content; a manifest has the spelling too.
        again = subprocess.run(["zstd", "-dcq"], input=files[path], capture_output=True)
        same = not self.is_sealed and again.returncode == 0 and sha(again.stdout).hex() == path[-64:]
        return files, "another compression of the same content in an open case" if same and before != files[path] else None

    def with_lines(self, files, change):
        path = self.pick(files, "log/")
        lines = files[path].splitlines(True)
        change(lines)
        files[path] = b"".join(lines)
        return files

    def do_line_deleted(self, files):
        return self.with_lines(files, lambda lines: lines.pop(self.random.randrange(len(lines))))

    def do_line_repeated(self, files):
        def change(lines):
            lines.insert(self.random.randrange(len(lines) + 1), self.random.choice(lines))
        return self.with_lines(files, change)

    def do_two_lines_swapped(self, files):
        def change(lines):
            a, b = self.random.sample(range(len(lines)), 2)
            lines[a], lines[b] = lines[b], lines[a]
        return self.with_lines(files, change)

    def do_file_deleted(self, files):
        path = self.pick(files, "")
        if path == "secret":
            return None  # it is kept back on purpose when a case is handed on
        del files[path]
        return files

    def do_segment_deleted(self, files):
        del files[self.pick(files, "log/")]
        return files

    def do_old_segment_put_back(self, files):
        files[f"log/{self.random.choice([2, 3, 4]):06}.ndjson"] = files[self.pick(files, "log/")]
        return files

    def do_file_truncated(self, files):
        path = self.pick(files, self.random.choice(["", "log/", "wire/", "findings"]))
        if path == "secret":
            return None
        files[path] = files[path][:self.random.randrange(len(files[path]))]
        return files

    def do_file_added(self, files):
        if not self.is_sealed:
            return None  # what no line names is of no meaning
        files[self.random.choice(["note.txt", "bodies/ab/" + "ab" * 32, "wire/000003.bin", "log/000004.ndjson"])] = b"x"
        return files

    def do_two_bodies_swapped(self, files):
        a, b = self.pick(files, "bodies/"), self.pick(files, "bodies/")
        files[a], files[b] = files[b], files[a]
        return files

    def do_body_replaced_by_another(self, files):
        files[self.pick(files, "bodies/")] = files[self.pick(files, "bodies/")]
        return files

    # Forgeries: whoever does this knows the format, and computes what can be computed without the key.

    @staticmethod
    def forged(members):
        for truth, lie in (("192.0.2.10", "192.0.2.99"), ("//host", "//tosh"), ('"status":200', '"status":204'), ('"monotonic":1', '"monotonic":2')):
            members = members.replace(truth, lie)
        return members

    def rewrite(self, files, key, resigned=False, heads="remade"):
        """Changes a line, and makes the chain right again from there on."""
        new = Log(self.sample.log.case_sha256, key)
        places = [index for index, line in enumerate(self.lines) if re.search(rb'"type":"(flow-start|connection|clock|flow-end)"', line[:120])]
        at = self.random.choice(places)
        cuts, number = [], 1
        for index, line in enumerate(self.lines):
            event = json.loads(line)
            members = line[:-TAIL].decode().split(',"prev":"', 1)[1][66:]
            if event["type"] == "segment":
                number += 1
                cuts.append(len(new.lines))
                new.segment(number)
            elif event["type"] == "tree-head" and (index > at or resigned):
                if heads == "remade":
                    new.head()
                elif heads == "kept":
                    new.put("tree-head", members)
            elif index < at and not resigned:
                new.take(line)
            else:
                if index == at:
                    members = self.forged(members)
                if resigned and event["type"] == "start":
                    members = members.replace(self.key.text, key.text)
                new.put(event["type"], members)
        Sample.write_log(files, new.lines, cuts)
        return new

    def finish(self, files, new, key, signs=False):
        if self.is_sealed:
            seal(files, new, key, signs)
        return files

    def do_forged_line_with_the_chain_remade(self, files):
        return self.finish(files, self.rewrite(files, None, heads="kept"), self.key)

    def do_forged_line_with_unsigned_heads(self, files):
        return self.finish(files, self.rewrite(files, None), self.key)

    def do_forged_line_with_heads_by_another_key(self, files):
        return self.finish(files, self.rewrite(files, self.other), self.key)

    def do_forged_line_without_heads(self, files):
        hidden = None if self.is_sealed else "all tree heads since a forged line left out of an open case"
        return self.finish(files, self.rewrite(files, None, heads="none"), self.key), hidden

    def do_forged_line_and_manifest_by_another_key(self, files):
        if not self.is_sealed:
            return None
        new = self.rewrite(files, self.other)
        files["signer.pem"] = self.other.pem
        return self.finish(files, new, self.other, signs=True)

    def do_head_by_another_key(self, files):
        """One head is made anew with another key; all after it follows from it."""
        heads = [index for index, line in enumerate(self.lines) if b'"type":"tree-head"' in line[:120]]
        at = self.random.choice(heads)
        new, cuts, number = Log(self.sample.log.case_sha256, self.other), [], 1
        for index, line in enumerate(self.lines):
            kind = json.loads(line)["type"]
            if kind == "segment":
                number += 1
                cuts.append(len(new.lines))
                new.segment(number)
            elif index == at:
                new.head()
            elif index < at:
                new.take(line)
            else:
                new.put(kind, line[:-TAIL].decode().split(',"prev":"', 1)[1][66:])
        Sample.write_log(files, new.lines, cuts)
        return self.finish(files, new, self.key)

    def do_manifest_remade_for_another_log(self, files):
        if not self.is_sealed:
            return None
        new = Log(self.sample.log.case_sha256, self.key)
        for line in self.lines[:self.random.randrange(self.sample.cuts[1] + 1, len(self.lines))]:
            new.take(line)
        Sample.write_log(files, new.lines, self.sample.cuts)
        return self.finish(files, new, self.key)

    def do_purge_by_another_key(self, files):
        if not self.is_sealed:
            return None
        path = self.pick(files, "bodies/")
        del files[path]
        previous = sha(files["manifest.json"]).hex()
        start = (f'{{"seq":1,"time":"{START}","type":"purged","prev":"{previous}","reason":"command","flows":1,"bodies":1,"bytes":9,'
                 f'"contents":["{path[-64:]}"],"wire":[]').encode()
        signature = base64.b64encode(self.other.sign(b"tidewaiter purge v1\n" + sha(start).hex().encode() + b"\n")).decode()
        hashed = start + f',"key":"{self.random.choice([self.key, self.other]).fingerprint}","signature":"{signature}"'.encode()
        files["purges.ndjson"] = hashed + f',"hash":"{hashlib.sha256(previous.encode() + hashed).hexdigest()}"}}\n'.encode()
        return files

    def do_everything_by_another_key(self, files):
        """Right in itself: only who knows the signer's fingerprint can tell."""
        new = self.rewrite(files, self.other, resigned=True)
        files["signer.pem"] = self.other.pem
        return self.finish(files, new, self.other, signs=True), None, True


def write_case(files, path):
    for name, data in files.items():
        file = pathlib.Path(path, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def load_second():
    spec = importlib.util.spec_from_file_location("second", REPOSITORY / "docs/verify/verify.py")
    second = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(second)
    plain, known = second.content, {}

    def content(path):  # most contents are those of the case before
        data = pathlib.Path(path).read_bytes()
        if data not in known:
            known[data] = plain(path)
        return known[data]

    second.content = content
    return second


def ask_second(second, path, signer=None):
    with contextlib.redirect_stdout(io.StringIO()):
        return second.conclusion(str(path), signer)


def ask_first(binary, paths, signer=None):
    words = [binary, "evidence", "verify", "--json", *(["--signer", signer] if signer else []), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True)
    said = [json.loads(line)["summary"] for line in done.stdout.splitlines()]
    if len(said) != len(paths):
        raise SystemExit(f"{binary}: {done.stderr.strip()}")
    return said


def gist(said):
    """What both must agree on: the verdict, and the line's number if there is one."""
    return re.match(r"INTACT|ALTERED \(signer\)|ALTERED( at seq \d+)?|INCOMPLETE from seq \d+", said)[0]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--binary", default=os.environ.get("TIDEWAITER_BIN", REPOSITORY / ".build/debug/tidewaiter"))
    arguments.add_argument("--keep", help="a folder for what slipped through")
    options = arguments.parse_args()
    table = collections.defaultdict(collections.Counter)
    hidden, slips = collections.Counter(), []
    second = load_second()
    with tempfile.TemporaryDirectory() as folder:
        key, other = Key(folder, "key"), Key(folder, "other")
        tamperer = Tamperer(Sample(key, options.seed), key, other, options.seed)
        for name, (files, _) in (("open", tamperer.open), ("sealed", tamperer.closed)):
            write_case(files, f"{folder}/{name}")
            for said in (ask_second(second, f"{folder}/{name}", key.fingerprint), *ask_first(options.binary, [f"{folder}/{name}"], key.fingerprint)):
                if said != "INTACT":
                    raise SystemExit(f"the {name} case itself: {said}")
        all_of_them, tried = [], 0
        while tried < options.count:  # what cannot be shown comes on top
            all_of_them.append(tamperer.make(len(all_of_them)))
            tried += not all_of_them[-1].hidden
        for start in range(0, len(all_of_them), 100):
            batch = all_of_them[start:start + 100]
            paths = [pathlib.Path(folder, f"case-{start + index}") for index in range(len(batch))]
            for tampering, path in zip(batch, paths):
                write_case(tampering.files, path)
            ours = ask_first(options.binary, paths)
            # A key is only another one to who knows the right one.
            signed = [path for tampering, path in zip(batch, paths) if tampering.by_signer]
            by_signer = dict(zip(signed, ask_first(options.binary, signed, key.fingerprint))) if signed else {}
            for tampering, path, said in zip(batch, paths, ours):
                theirs, row = ask_second(second, path), table[tampering.kind]
                if tampering.by_signer:
                    if (said, theirs) != ("INTACT", "INTACT"):
                        slips.append((tampering.kind, f"not right in itself: {said}", theirs))
                    said, theirs = by_signer[path], ask_second(second, path, key.fingerprint)
                if tampering.hidden:
                    hidden[tampering.hidden] += 1
                    row["hidden"] += 1
                else:
                    row["tried"] += 1
                    row["ours"] += said != "INTACT"
                    row["theirs"] += theirs != "INTACT"
                    if "INTACT" in (said, theirs):
                        slips.append((tampering.kind, said, theirs))
                agree = gist(said) == gist(theirs)
                row["agree"] += agree
                if not agree:
                    slips.append((tampering.kind, said, theirs))
                if options.keep and slips and slips[-1][1:] == (said, theirs):
                    shutil.copytree(path, f"{options.keep}/{path.name}", dirs_exist_ok=True)
                shutil.rmtree(path)
    print("| tampering | tried | caught by `evidence verify` | by verify.py | same words | cannot show |")
    print("| --- | --- | --- | --- | --- | --- |")
    total = collections.Counter()
    for kind in sorted(table):
        row = table[kind]
        total.update(row)
        print(f"| {kind} | {row['tried']} | {row['ours']} | {row['theirs']} | {row['agree']} | {row['hidden']} |")
    print(f"| all | {total['tried']} | {total['ours']} | {total['theirs']} | {total['agree']} | {total['hidden']} |")
    for what, count in sorted(hidden.items()):
        print(f"cannot be shown: {what}: {count}")
    for kind, ours, theirs in slips:
        print(f"SLIPPED: {kind}: ours {ours}; verify.py {theirs}")
    sys.exit(bool(slips))


if __name__ == "__main__":
    main()
