"""What leaves a case: HAR, WARC and NDJSON as others' programs read them, and exports that are fit to be handed on."""

import base64
import gzip
import hashlib
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
from haralyzer import HarParser
from warcio.archiveiterator import ArchiveIterator
from websockets.sync.client import connect

import http2_origin
import pki
from devtools import DevTools
from harness import LoopbackTest, Proxy, lines_of
from identifiers import CARRIER, CONTACT_NAME, IMEI, IMSI, OWN, WATCHED, spellings_in
from origins import Origin
from sockets import EchoServer

OUTSIDE = "outside.example"
HOSTS = {WATCHED: "127.66.0.1", OUTSIDE: "127.0.0.3"}
JSON = ("Content-Type", "application/json")
SCHEMA = json.loads((pathlib.Path(__file__).parent / "har-1.2.schema.json").read_text())


class ExportTest(LoopbackTest):
    """One case with a bit of everything, sealed."""

    @classmethod
    def setUpClass(cls):
        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        watched = cls.enterClassContext(Origin(leaf=leaf, address="127.66.0.1"))
        outside = cls.enterClassContext(Origin(leaf=leaf, address="127.0.0.3"))
        plain = cls.enterClassContext(Origin(address="127.0.0.3"))
        second = cls.enterClassContext(http2_origin.Origin(leaf=leaf, address="127.0.0.3"))
        echo = cls.enterClassContext(EchoServer(leaf, address="127.0.0.3"))
        cls.shared = proxy = cls.enterClassContext(Proxy(hosts=HOSTS))
        proxy.fetch(WATCHED, watched.port, f"/first?imei={IMEI}&x=1", fields=[
            ("Referer", f"https://a.example/{IMSI}"), ("Cookie", f"sid=abc; imei={IMEI}"), ("Authorization", "Bearer sesame-open")])
        values = {"imei": IMEI, "number": int(IMEI), "name": CONTACT_NAME, "nested": base64.b64encode(IMEI.encode()).decode(),
                  "digest": hashlib.md5(IMEI.encode()).hexdigest(), "phone": OWN}
        proxy.fetch(WATCHED, watched.port, "/echo", "POST", json.dumps({"d": values}).encode(), [JSON])
        proxy.fetch(OUTSIDE, outside.port, "/echo", "POST", gzip.compress(f"imsi={IMSI}&c={CARRIER}".encode()),
                    [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Encoding", "gzip")])
        proxy.fetch(OUTSIDE, outside.port, "/chunked?3000000")
        proxy.fetch(OUTSIDE, outside.port, "/echo", "POST", b"\xff binary" * 100, [("Content-Type", "text/plain")])
        with proxy.dial() as wire:
            for path in ("/plain?x=1", "/plain2"):
                wire.request("GET", f"http://{OUTSIDE}:{plain.port}{path}", f"{OUTSIDE}:{plain.port}")
        with proxy.http2(OUTSIDE, second.port) as end:
            for path in ("/bytes?100", "/echo", "/trailers"):
                end.fetch(f"{OUTSIDE}:{second.port}", path, body=b'{"k":"v"}' if path != "/bytes?100" else None,
                          method="GET" if path == "/bytes?100" else "POST", fields=[("cookie", "a=b"), ("cookie", "c=d")])
        with connect(f"wss://{OUTSIDE}:{echo.port}/socket?imei={IMEI}", proxy=proxy.url, ssl=proxy.context(),
                     ping_interval=None) as client:
            for message in (f"hello {IMEI}", b"\x00\x01"):
                client.send(message)
                client.recv(10)
        proxy.connect("169.254.169.254:80")[1].close()
        proxy.stop()

    def export(self, name, *arguments, **options):
        """The bytes of an export."""
        self.shared.run("evidence", "export", "case", *arguments, "-o", name, "--force", **options)
        return (self.shared.path / name).read_bytes()

    def entries(self, *arguments):
        return json.loads(self.export("t.har", "--har", *arguments))["log"]["entries"]

    def records(self, *arguments, name="t.warc.gz"):
        self.export(name, "--warc", *arguments)
        found = []
        with (self.shared.path / name).open("rb") as stream:
            for record in ArchiveIterator(stream, check_digests="raise"):
                found.append((record.rec_type, record.rec_headers, record.http_headers, record.raw_stream.read()))
        return found

    def check_archive(self, data):
        validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
        wrong = [(list(error.absolute_path), error.message[:200]) for error in validator.iter_errors(json.loads(data))]
        self.assertEqual(wrong, [])


class Exports(ExportTest):
    """As it is, for others' programs."""

    weight = 5

    def test_har_schema(self):
        """A HAR has an entry for each flow, is what the specification's schema allows, and haralyzer reads it."""
        data = self.export("t.har", "--har")
        self.check_archive(data)
        entries = json.loads(data)["log"]["entries"]
        flows = self.shared.flows()
        self.assertEqual([entry["_tidewaiter"]["flow"] for entry in entries], [flow["flow"] for flow in flows])
        self.assertEqual(HarParser.from_string(data.decode()).har_data["entries"], entries)
        refused = entries[-1]
        self.assertEqual((refused["request"]["method"], refused["response"]["status"]), ("CONNECT", 403))
        self.assertEqual(refused["_tidewaiter"]["treatment"], "refused")

    def test_har_timings(self):
        """The first flow of a connection carries look-up, connection and TLS; times add up; the others have -1."""
        entries = self.entries()
        for entry in entries:
            parts = [max(0, value) for name, value in entry["timings"].items() if name != "ssl"]
            self.assertAlmostEqual(sum(parts), entry["time"], 2)
        first = next(entry for entry in entries if "/first" in entry["request"]["url"])["timings"]
        self.assertTrue(first["dns"] >= 0 and first["connect"] >= first["ssl"] > 0, first)
        kept = next(entry for entry in entries if "/plain2" in entry["request"]["url"])["timings"]
        self.assertEqual({kept[name] for name in ("blocked", "dns", "connect", "ssl")}, {-1})

    def test_har_contents(self):
        """Text is text, decoded; the rest is in base64, of a large body too; messages of a WebSocket are there."""
        entries = self.entries()
        form = next(entry for entry in entries if "imsi=" in entry["request"].get("postData", {}).get("text", ""))
        self.assertIn(IMSI, form["request"]["postData"]["text"])
        large = next(entry for entry in entries if "/chunked" in entry["request"]["url"])
        self.assertEqual(large["response"]["content"]["size"], 3_000_000)
        body = base64.b64decode(large["response"]["content"]["text"])
        self.assertEqual(hashlib.sha256(body).hexdigest(), large["_tidewaiter"]["response_sha256"])
        socket = next(entry for entry in entries if "/socket" in entry["request"]["url"])
        messages = [(message["type"], message["opcode"], message["data"]) for message in socket["_webSocketMessages"]]
        self.assertEqual(messages[:4], [("send", 1, f"hello {IMEI}"), ("receive", 1, f"hello {IMEI}"),
                                        ("send", 2, "AAE="), ("receive", 2, "AAE=")])
        self.assertEqual(socket["serverIPAddress"], "127.0.0.3")

    def test_devtools(self):
        """The importer of Chromium's developer tools finds each flow, its content and its messages in a HAR."""
        self.need("chromium")
        entries = self.entries()
        archive = (self.shared.path / "t.har").read_text()
        with DevTools() as tools:
            requests = tools.requests_of(archive)
        self.assertEqual({request["url"] for request in requests}, {entry["request"]["url"] for entry in entries})
        echo = [request for request in requests if request["method"] == "POST" and WATCHED in request["url"]][0]
        self.assertEqual(echo["status"], 200)
        self.assertEqual(json.loads(echo["content"])["d"]["imei"], IMEI)
        socket = [request for request in requests if "/socket" in request["url"]][0]
        self.assertIn(["send", 1, f"hello {IMEI}"], socket["messages"])

    def test_warc_check(self):
        """`warcio check -v` passes on a WARC, compressed record by record or not, and on a share-safe one."""
        for name, arguments in (("t.warc", ()), ("t.warc.gz", ()), ("safe.warc.gz", ("--share-safe",))):
            with self.subTest(name):
                self.export(name, "--warc", *arguments)
                done = subprocess.run([pathlib.Path(sys.prefix) / "bin/warcio", "check", "-v", self.shared.path / name],
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                said = [line.strip() for line in done.stdout.splitlines()[1:]]
                self.assertEqual({line for line in said if not line.startswith("offset")}, {"digest pass"})
                self.assertGreater(len(said), 60)

    def test_warc_messages(self):
        """Requests and responses are HTTP/1.1 messages without transfer coding; digests are those of bodies/."""
        records = self.records()
        self.assertEqual(records[0][0], "warcinfo")
        kinds = {kind for kind, *_ in records}
        self.assertEqual(kinds, {"warcinfo", "request", "response", "metadata", "resource"})
        by_id = {head.get_header("WARC-Record-ID"): kind for kind, head, *_ in records}
        self.assertEqual(len(by_id), len(records))
        names = {file.name for file in (self.shared.case / "bodies").rglob("*") if file.is_file()}
        for kind, head, http, content in records:
            if kind not in ("request", "response"):
                continue
            self.assertIsNone(http.get_header("Transfer-Encoding"))
            if content and "/head" not in head.get_header("WARC-Target-URI"):
                self.assertEqual(http.get_header("Content-Length"), str(len(content)))
            digest = head.get_header("WARC-Payload-Digest").removeprefix("sha256:")
            self.assertEqual(digest, hashlib.sha256(content).hexdigest())
            self.assertTrue(not content or digest in names)
            self.assertRegex(head.get_header("WARC-Date"), r"\.\d{6}Z$")
            self.assertIn(by_id[head.get_header("WARC-Concurrent-To")], ("request", "response"))
        second = [(head, http, content) for kind, head, http, content in records
                  if kind == "request" and head.get_header("WARC-Protocol") == "h2"]
        self.assertEqual(len(second), 3)
        head, http, content = next(part for part in second if part[2])
        self.assertEqual((http.protocol, content), ("POST", b'{"k":"v"}'))
        self.assertEqual(http.get_header("cookie"), "a=b; c=d")
        self.assertTrue(http.get_header("Host").startswith(OUTSIDE))
        messages = [content for kind, _, _, content in records if kind == "resource"]
        self.assertEqual(messages[:2], [f"hello {IMEI}".encode()] * 2)

    def test_ndjson(self):
        """NDJSON has what `flows --json` and `findings --json` say, heads to the byte, and contents if asked for."""
        rows = [json.loads(line) for line in self.export("t.ndjson", "--ndjson", "--bodies").splitlines()]
        flows = self.shared.flows()
        self.assertEqual([{name: row[name] for name in flow} for row, flow in zip(rows, flows, strict=True)], flows)
        self.assertEqual([found for row in rows for found in row["found"]], self.shared.findings())
        for row in rows:
            for message in row["messages"]:
                if body := message["body"]:
                    self.assertEqual(hashlib.sha256(base64.b64decode(body["data"])).hexdigest(), body["sha256"])
        first = base64.b64decode(rows[0]["messages"][0]["head"])
        self.assertTrue(first.startswith(f"GET /first?imei={IMEI}".encode()) and first.endswith(b"\r\n\r\n"))
        short = [json.loads(line) for line in self.export("t.ndjson", "--ndjson").splitlines()]
        self.assertNotIn("data", json.dumps([message["body"] for row in short for message in row["messages"]]))

    def test_filter(self):
        """FILTER limits each format to the flows that `flows` shows for it."""
        words = ("finding:imei", "-protocol:websocket")
        flows = [flow["flow"] for flow in self.shared.flows(*words)]
        self.assertTrue(0 < len(flows) < len(self.shared.flows()))
        self.assertEqual([entry["_tidewaiter"]["flow"] for entry in self.entries(*words)], flows)
        rows = self.export("t.ndjson", "--ndjson", *words).splitlines()
        self.assertEqual([json.loads(row)["flow"] for row in rows], flows)
        uris = {json.loads(content)["flow"] for kind, _, _, content in self.records(*words) if kind == "metadata"}
        self.assertEqual(sorted(uris), flows)

    def test_files(self):
        """An export is for its owner alone, replaces nothing unasked, stays out of the case, or goes to standard output."""
        run = self.shared.run
        data = self.export("once.ndjson", "--ndjson")
        file = self.shared.path / "once.ndjson"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertOneClearLine(run("evidence", "export", "case", "--ndjson", "-o", "once.ndjson", expect=2).err, "--force")
        inside = self.shared.case / "export.ndjson"
        self.assertOneClearLine(run("evidence", "export", "case", "--ndjson", "-o", inside, expect=2).err, "case's folder")
        self.assertFalse(inside.exists())
        streamed = run("evidence", "export", "case", "--ndjson", "-o", "-")
        self.assertEqual(streamed.out.encode(), data)
        self.assertOneClearLine(streamed.err, hashlib.sha256(data).hexdigest())
        summary = json.loads(run("evidence", "export", "case", "--ndjson", "--json", "-o", "once.ndjson", "--force").out)
        self.assertEqual((summary["bytes"], summary["sha256"]), (len(data), hashlib.sha256(data).hexdigest()))
        self.assertEqual([name.name for name in self.shared.path.iterdir() if name.name.endswith(".part")], [])
        for wrong in ([], ["--har", "--warc"], ["--har", "--bodies"], ["--pcapng", "--share-safe"]):
            run("evidence", "export", "case", *wrong, expect=2)
        self.assertIn("INTACT", run("evidence", "verify", "case").out)


class ShareSafe(ExportTest):
    """The same case, for those who are not to see whose it is."""

    weight = 4

    def exports(self):
        """Each format, with what it holds in base64 opened."""
        for name, arguments in (("s.har", ["--har"]), ("s.warc", ["--warc"]), ("s.ndjson", ["--ndjson", "--bodies"])):
            data = self.export(name, *arguments, "--share-safe")
            opened = [base64.b64decode(digits + b"=" * (-len(digits) % 4))
                      for digits in re.findall(rb"[A-Za-z0-9+/]{12,}", data) if len(digits) % 4 != 1]
            yield name, b"\n".join([data, *opened])

    def test_values(self):
        """No value of the profile is left in any spelling, nor the device's name or address, cookies or credentials."""
        for name, data in self.exports():
            with self.subTest(name):
                self.assertEqual(spellings_in(data), [])
                secrets = (b"127.0.0.1", b'"device":"phone"', b"sesame-open", b"sid=abc", b"hmac:", b'_sha256":"e2fe')
                self.assertEqual([secret for secret in secrets if secret in data], [])
                placeholders = (b"[imei#1]", b"[device#1]", b"[contact_name#1]")
                self.assertEqual([placeholder for placeholder in placeholders if placeholder not in data], [])

    def test_structure(self):
        """What is around the values still parses: JSON, a form, a URL; and the archive is valid."""
        data = self.export("s.har", "--har", "--share-safe")
        self.check_archive(data)
        entries = json.loads(data)["log"]["entries"]
        posted = [json.loads(entry["request"]["postData"]["text"])["d"] for entry in entries
                  if entry["request"].get("postData", {}).get("text", "").startswith('{"d"')]
        self.assertEqual(posted, [{"imei": "[imei#1]", "number": "[imei#1]", "name": "[contact_name#1]", "nested": "[imei#1]",
                                   "digest": "[imei#1]", "phone": "[msisdn#1]"}])
        first = entries[0]["request"]
        self.assertIn({"name": "imei", "value": "[imei#1]"}, first["queryString"])
        self.assertIn({"name": "x", "value": "1"}, first["queryString"])
        self.assertEqual([cookie["name"] for cookie in first["cookies"]], ["sid", "imei"])

    def test_origin(self):
        """Each entry names its lines in the sealed original by their leaf hashes, and the archive names the manifest."""
        log = json.loads(self.export("s.har", "--har", "--share-safe"))["log"]
        manifest = (self.shared.case / "manifest.json").read_bytes()
        origin = log["_tidewaiter"]["original"]
        self.assertEqual(origin["manifest_sha256"], hashlib.sha256(manifest).hexdigest())
        sealed = json.loads(manifest)
        self.assertEqual((origin["tree_size"], origin["tree_root"]), (sealed.get("tree_size", 0), sealed.get("tree_root")))
        lines = lines_of(self.shared.case)
        named = [line for entry in log["entries"] for line in entry["_tidewaiter"]["original"]["lines"]]
        self.assertEqual({json.loads(lines[number - 1])["flow"] for number, _ in named},
                         {flow["flow"] for flow in self.shared.flows()})
        for number, leaf in named:
            self.assertEqual(leaf, hashlib.sha256(b"\0" + lines[number - 1]).hexdigest())
