#!/usr/bin/env python3
"""Writes a case of any size that verifies, for measuring what reads cases (docs/evidence-format.md, format 2).

    generate.py FOLDER [--flows 1000000] [--contents 20000] [--finding-share 0.05] [--seed 1] [--no-seal]

Python's standard library and the program `openssl`, which signs. The same arguments give the same case but for its
key. About 30,000 lines a second on one core; a flow is seven lines or so, and 3 KiB of log.
"""

import argparse, base64, datetime, hashlib, hmac, json, os, random, subprocess, sys, tempfile

START = 1795370645000000  # 2026-11-22T18:04:05Z, in microseconds
SEGMENT = 64 << 20
HEAD_EVERY = 20_000  # lines between two tree heads
REGIONS = [("CN", 64500), ("CN", 64501), ("US", 64510), ("DE", 64520), ("SG", 64530), ("unknown", None), ("JP", 64540)]
KINDS = ["imei", "imsi", "msisdn", "android_id", "email", "wifi_mac", "contact_phone", "serial"]
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
NAMES = "王小明 李娜 張偉 陈静 林志玲 吴磊".split()


def sha(data):
    return hashlib.sha256(data).digest()


class Tree:
    """The perfect subtrees of RFC 9162's tree over the leaves so far, largest first."""

    def __init__(self):
        self.parts, self.size = [], 0

    def add(self, line):
        node, size = sha(b"\0" + line), 1
        while self.parts and self.parts[-1][0] == size:
            node, size = sha(b"\1" + self.parts.pop()[1] + node), size * 2
        self.parts.append((size, node))
        self.size += 1

    def root(self):
        if not self.parts:
            return sha(b"")
        node = self.parts[-1][1]
        for _, left in reversed(self.parts[:-1]):
            node = sha(b"\1" + left + node)
        return node


class Signer:
    """An Ed25519 key, used by way of openssl."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name + "/key.pem"
        self.run("genpkey", "-algorithm", "ed25519", "-out", self.path)
        self.pem = self.run("pkey", "-in", self.path, "-pubout")
        self.der = self.run("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def run(self, *words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True).stdout

    def sign(self, data):
        path = self.folder.name + "/data"
        with open(path, "wb") as file:
            file.write(data)
        return self.run("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", path)


class Case:
    def __init__(self, root, seed):
        os.makedirs(root, mode=0o700)
        os.umask(0o077)
        self.root, self.random = root, random.Random(seed)
        self.signer, self.tree = Signer(), Tree()
        self.prev, self.seq, self.segment, self.length = "0" * 64, 0, 1, 0
        self.flow = self.connection = 1
        self.findings, self.since_head, self.second = 0, 0, None
        for folder in ["log", "bodies", "bodies/tmp"]:
            os.makedirs(f"{root}/{folder}")
        self.secret = self.random.randbytes(32)
        self.file("secret", self.secret)
        self.about = (
            '"tool":"tidewaiter","version":"0.0.0","mode":"record","operator":"generator","devices":["redmi","tablet"],'
            '"watched":["CN"],"configuration":[],"rules":[],"regions":[]'
        )
        case = (
            f'{{"format":2,"case":"{os.path.basename(root)}","created":"{self.time(START)}",{self.about},'
            f'"secret_sha256":"{hashlib.sha256(self.secret).hexdigest()}"}}\n'
        ).encode()
        self.file("case.json", case)
        self.file("signer.pem", self.signer.pem)
        self.digest = hashlib.sha256(case).hexdigest()
        self.log = open(f"{root}/log/000001.ndjson", "wb", buffering=1 << 20)
        self.found = open(f"{root}/findings.ndjson", "w", buffering=1 << 20)

    def file(self, path, data):
        with open(f"{self.root}/{path}", "wb") as file:
            file.write(data)

    def time(self, microseconds):
        second, rest = divmod(microseconds, 1_000_000)
        if second != self.second:
            self.second = second
            moment = datetime.datetime.fromtimestamp(second, datetime.timezone.utc)
            self.text = moment.strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self.text}{rest:06}Z"

    def line(self, type, time, members):
        if self.length >= SEGMENT:
            self.rotate(time)
        self.put(type, time, members)
        self.since_head += 1
        if self.since_head >= HEAD_EVERY and type != "tree-head":
            self.head(time)

    def put(self, type, time, members):
        self.seq += 1
        start = f'{{"seq":{self.seq},"time":"{self.time(time)}","type":"{type}","prev":"{self.prev}"'
        body = (f"{start},{members}" if members else start).encode()
        self.prev = hashlib.sha256(self.prev.encode() + body).hexdigest()
        line = body + f',"hash":"{self.prev}"}}'.encode()
        self.tree.add(line)
        self.log.write(line + b"\n")
        self.length += len(line) + 1

    def rotate(self, time):
        self.log.close()
        self.segment += 1
        self.length = 0
        self.log = open(f"{self.root}/log/{self.segment:06}.ndjson", "wb", buffering=1 << 20)
        tree = ",".join(f'"{node.hex()}"' for _, node in self.tree.parts)
        self.put(
            "segment",
            time,
            f'"number":{self.segment},"next_flow":{self.flow},"next_connection":{self.connection},'
            f'"findings":{self.findings},"tree":[{tree}]',
        )

    def head(self, time):
        self.since_head = 0
        size, root = self.tree.size, self.tree.root().hex()
        text = f"tidewaiter tree head v1\n{self.digest}\n{size}\n{root}\n".encode()
        signature = base64.b64encode(self.signer.sign(text)).decode()
        key = hashlib.sha256(self.signer.der).hexdigest()
        self.line("tree-head", time, f'"size":{size},"root":"{root}","key":"{key}","signature":"{signature}"')

    def content(self, data):
        """Keeps a content as one Zstandard frame of a raw block (RFC 8878, section 3.1.1.2)."""
        digest = hashlib.sha256(data).hexdigest()
        folder = f"{self.root}/bodies/{digest[:2]}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{digest}", "wb") as file:
            for start in range(0, max(1, len(data)), 65536):
                part = data[start : start + 65536]
                file.write(b"\x28\xb5\x2f\xfd\xa0" + len(part).to_bytes(4, "little"))
                file.write((len(part) << 3 | 1).to_bytes(3, "little") + part)
        return digest, len(data)

    def seal(self, time):
        self.head(time)
        self.put("sealed", time, '"reason":null')
        self.log.close()
        self.found.close()
        self.file("VERIFY.txt", b"See docs/evidence-format.md.\n")
        files = []
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.relpath(f"{folder}/{name}", self.root)
                if path == "secret" or path.startswith("bodies/tmp/"):
                    continue
                with open(f"{folder}/{name}", "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                files.append((path.encode(), path, os.path.getsize(f"{folder}/{name}"), digest))
        rows = ",\n".join(f'{{"path":"{p}","size":{s},"sha256":"{d}"}}' for _, p, s, d in sorted(files))
        manifest = (
            f'{{"format":2,\n"case":"{os.path.basename(self.root)}",\n"sealed":"{self.time(time)}",\n'
            f'"last_seq":{self.seq},\n"last_hash":"{self.prev}",\n"tree_size":{self.tree.size},\n'
            f'"tree_root":"{self.tree.root().hex()}",\n"files":[\n{rows}\n]}}\n'
        ).encode()
        self.file("manifest.sig", self.signer.sign(manifest))
        self.file("manifest.json", manifest)


class Traffic:
    """Devices that talk: hosts, addresses, heads and bodies as skewed as they are on a real network."""

    def __init__(self, case, contents):
        self.case, self.random = case, case.random
        pick = self.random.choice
        self.words = ["".join(pick(SYLLABLES) for _ in range(self.random.randint(2, 4))) for _ in range(20_000)]
        self.hosts = []
        for number in range(3_000):
            host = f"{pick(['api', 'cdn', 'log', 'ads', 'push'])}{number}.{pick(self.words)}.example"
            region, asn = pick(REGIONS)
            address = f"2001:db8::{number:x}"
            self.hosts.append((host, region, asn, address))
        self.agents = [f"{pick(self.words).title()}SDK/{n}.{n % 7} (Android 14)" for n in range(200)]
        self.requests = [self.body(number) for number in range(contents // 2)]
        self.responses = [self.body(number) for number in range(contents - contents // 2)]
        self.chain = [case.content(b"leaf certificate")[0], case.content(b"issuer certificate")[0]]
        self.hello = base64.b64encode(self.random.randbytes(240)).decode()

    def body(self, number):
        words = " ".join(self.random.choices(self.words, k=self.random.randint(5, 60)))
        value = {"id": number, "note": words, "contact": self.random.choice(NAMES), "token": f"t{self.random.getrandbits(40):x}"}
        return self.case.content(json.dumps(value, ensure_ascii=number % 2 == 0).encode())

    def connect(self, time):
        case, pick = self.case, self.random.choice
        number = case.connection
        case.connection += 1
        c = f'"connection":"c-{number:06}"'
        # A few hosts have most of the traffic.
        host, region, asn, address = self.hosts[int(len(self.hosts) * self.random.random() ** 3)]
        device = "redmi" if self.random.random() < 0.7 else "tablet"
        countries = "" if region == "unknown" else f'"{region}"'
        system = "null" if asn is None else asn
        place = f'"region":"{region}","sets":[],"countries":[{countries}],"asn":{system}'
        candidate = f'{{"address":"{address}",{place}'
        case.line("connection", time, f'{c},"client":"192.0.2.10","device":"{device}"')
        case.line("dns", time + 1, f'{c},"name":"{host}","addresses":["{address}"],"aliases":[],"ttl":60,"source":"192.0.2.53","cached":false')
        case.line("decided", time + 2, f'{c},"authority":"{host}:443","candidates":[{candidate},"special_use":false,"signals":[]}}],"decision":"dial","rule":null')
        case.line("hello", time + 3, f'{c},"sni":"{host}","sni_malformed":false,"alpn":["http/1.1"],"versions":[772,771],"ech":false,"ja4":"t13d1516h2_8daaf6152771_b186095e22b6","raw":"{self.hello}"')
        shown = f'"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","group":"X25519","alpn":"http/1.1","resumed":false'
        case.line("handshake", time + 4, f'{c},"leg":"upstream",{shown},"ja4":null,"chain":["{self.chain[0]}","{self.chain[1]}"],"verification":"ok","revocation":null,"timestamps":[],"anchor":"CN=Root","public_anchor":true,"client_certificate":"none"')
        case.line("handshake", time + 5, f'{c},"leg":"downstream",{shown},"ja4":null,"chain":[],"verification":null,"revocation":null,"timestamps":[],"anchor":null,"public_anchor":null,"client_certificate":null')
        facts = (
            f'{c},"device":"{device}","client":"192.0.2.10","scheme":"https","host":"{host}","sni":"{host}","port":443,'
            f'"address":"{address}","candidates":[{candidate}}}],{place},"treatment":"intercepted"'
        )
        return c, host, region, address, device, facts, pick(self.agents)

    def exchange(self, open, time, finding_share):
        case, pick, chance = self.case, self.random.choice, self.random.random
        connection, host, region, address, device, facts, agent = open
        number = case.flow
        case.flow += 1
        f = f'"flow":"f-{number:06}"'
        posts = chance() < 0.5
        method = "POST" if posts else "GET"
        path = f"/v{number % 3}/{pick(self.words)}/{number}?q={pick(self.words)}&t={time}"
        url = f"https://{host}{path}"
        case.line("flow-start", time, f'{f},"method":"{method}","url":"{url}","protocol":"http/1.1",{facts}')
        request, response = pick(self.requests), pick(self.responses)
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n"
        if posts:
            head += f"Content-Type: application/json\r\nContent-Length: {request[1]}\r\n"
        self.head(f, "request", head + f"X-Request-Id: {self.random.getrandbits(64):016x}\r\n\r\n", time + 1)
        verdict = '"decided":"allow","applied":"allow","rule":null'
        found = 0
        if posts and chance() < finding_share:
            found = 1
            verdict = '"decided":"redact","applied":"log","rule":"identifiers-to-watched-regions"' if region == "CN" else verdict
            kind = pick(KINDS)
            digest = hmac.new(case.secret, f"{kind}\0{number % 500}".encode(), hashlib.sha256).hexdigest()
            rest = (
                f'"device":"{device}","url":"{url}","direction":"request","region":"{region}","address":"{address}",'
                f'"kind":"{kind}","certainty":"{pick(["certain", "likely", "possible"])}","location":"body","path":"$.id",'
                f'"encoding":["plain"],"offset":6,"length":4,"value":"hmac:{digest}",{verdict}'
            )
            case.line("finding", time + 2, f'{f},{rest},"inspector":"needles"')
            case.found.write(f'{{{f},"time":"{case.time(time + 2)}",{rest}}}\n')
            case.findings += 1
        status = 200 if chance() < 0.95 else pick([204, 302, 404, 500])
        date = f"Sun, 22 Nov 2026 {time // 3_600_000_000 % 24:02}:{time // 60_000_000 % 60:02}:{time // 1_000_000 % 60:02} GMT"
        self.head(f, "response", f"HTTP/1.1 {status} OK\r\nServer: nginx\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: {response[1]}\r\n\r\n", time + 3)
        end = time + 900
        if posts:
            self.kept(f, "request", request, end)
        self.kept(f, "response", response, end)
        case.line("flow-end", end, f'{f},"status":{status},"request_bytes":{request[1] if posts else 0},"response_bytes":{response[1]},"findings":{found},{verdict},"exposure":null,"error":null')

    def head(self, flow, direction, text, time):
        data = base64.b64encode(text.encode()).decode()
        self.case.line("head", time, f'{flow},"direction":"{direction}","stage":"original","size":{len(text)},"data":"{data}"')

    def kept(self, flow, direction, content, time):
        self.case.line("body", time, f'{flow},"direction":"{direction}","stage":"original","size":{content[1]},"sha256":"{content[0]}","complete":true')


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--flows", type=int, default=1_000_000)
    arguments.add_argument("--contents", type=int, default=20_000)
    arguments.add_argument("--finding-share", type=float, default=0.05)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--no-seal", action="store_true")
    options = arguments.parse_args()
    case = Case(options.folder.rstrip("/"), options.seed)
    traffic = Traffic(case, options.contents)
    time = START
    signer = base64.b64encode(case.signer.der).decode()
    case.line("start", time, f'"case":"{os.path.basename(case.root)}","continued":false,"case_sha256":"{case.digest}",{case.about},"keeps_bodies":true,"keeps_wire":false,"evidence":"required","signer":"{signer}"')
    case.line("clock", time, f'"monotonic":{time * 1000 - 10**18},"system":{time * 1000},"step":0')
    while case.flow <= options.flows:
        open_connection = traffic.connect(time)
        for _ in range(min(case.random.randint(1, 8), options.flows + 1 - case.flow)):
            time += 1_000
            traffic.exchange(open_connection, time, options.finding_share)
        time += 1_000
        case.line("connection-end", time, f'{open_connection[0]},"error":null')
    case.line("stop", time, "")
    if options.no_seal:
        case.head(time)
        case.log.close()
        case.found.close()
    else:
        case.seal(time)
    print(f"{case.root}: {case.flow - 1} flows, {case.seq} lines, {case.findings} findings", file=sys.stderr)


main()
