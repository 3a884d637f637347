"""The record: what a third party can check."""

import base64
import contextlib
import hashlib
import json
import re
import shutil
import socket
import subprocess
import threading

import pki
from harness import Folder, LoopbackTest, Proxy, lines_of, parse_json
from origins import Origin, pattern

NAME = "origin.example"


def flip(file, position):
    """Changes one bit of one byte, keeping JSON text text: a digit or letter stays printable."""
    data = bytearray(file.read_bytes())
    data[position] ^= 0x01
    file.write_bytes(data)


class Case(LoopbackTest):
    """A sealed case, made once: each test works on a copy."""

    weight = 3

    @classmethod
    def setUpClass(cls):
        server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME)))
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.server = server
        cls.shared.fetch(NAME, server.port, "/first?imei=490154203237518")
        cls.shared.run("mark", "SIM inserted")
        cls.shared.fetch(NAME, server.port, "/echo", "POST", b"text \xff binary" * 100, [("Content-Type", "text/plain")])
        cls.shared.fetch(NAME, server.port, "/chunked?30000")
        cls.shared.stop()

    def copy(self):
        name = f"copy-{self._testMethodName.replace('_', '-')}"
        target = self.shared.path / "cases" / name
        shutil.copytree(self.shared.case, target, symlinks=True)
        return name, target

    def verify(self, name, expect):
        return self.shared.run("evidence", "verify", name, expect=expect).out

    def test_intact(self):
        """A sealed case verifies as INTACT."""
        self.assertIn("INTACT", self.verify("case", 0))
        self.assertIn("INTACT", json.dumps(self.shared.rows("evidence", "verify", "case")))

    def test_chain_by_hand(self):
        """The hash chain is as documented: a few lines of Python verify it."""
        previous = "0" * 64
        for number, line in enumerate(lines_of(self.shared.case), 1):
            event = json.loads(line)
            body, _, _ = line.rpartition(b',"hash":')
            self.assertEqual(event["seq"], number)
            self.assertEqual(event["prev"], previous)
            self.assertEqual(event["hash"], hashlib.sha256(previous.encode() + body).hexdigest())
            previous = event["hash"]

    def test_every_flipped_line_is_named(self):
        """One flipped byte in any line of the log is ALTERED, with that line's sequence number."""
        name, target = self.copy()
        file = sorted((target / "log").iterdir())[0]
        whole = file.read_bytes()
        lines = whole.splitlines(keepends=True)
        for index in sorted({0, 1, len(lines) // 2, len(lines) - 1}):
            with self.subTest(seq=index + 1):
                file.write_bytes(whole)
                start = sum(map(len, lines[:index]))
                mark = lines[index].index(b'"time":"') + len(b'"time":"')
                flip(file, start + mark + 3)
                said = self.verify(name, 1)
                self.assertIn("ALTERED", said)
                self.assertRegex(said, rf"seq {index + 1}\b")

    def test_removed_and_swapped_lines(self):
        """A removed line and two swapped lines are noticed where they are."""
        name, target = self.copy()
        file = sorted((target / "log").iterdir())[0]
        lines = file.read_bytes().splitlines(keepends=True)
        for label, changed in {"removed": lines[:4] + lines[5:], "swapped": lines[:4] + [lines[5], lines[4]] + lines[6:]}.items():
            with self.subTest(label):
                file.write_bytes(b"".join(changed))
                said = self.verify(name, 1)
                self.assertRegex(said, r"(ALTERED|INCOMPLETE)[^\n]*seq [56]\b")

    def test_cut_after_the_seal(self):
        """A sealed case whose end is cut off is not INTACT."""
        name, target = self.copy()
        file = sorted((target / "log").iterdir())[-1]
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:-2]))
        self.assertNotIn("INTACT", self.verify(name, 1))

    def test_altered_files(self):
        """A changed body, finding, manifest or signature is noticed and named."""
        for pattern_ in ("bodies/*/*", "findings.ndjson", "manifest.json", "manifest.sig", "case.json"):
            with self.subTest(pattern_):
                name = f"files-{pattern_.split('/')[0].replace('.', '-')}"
                target = self.shared.path / "cases" / name
                shutil.copytree(self.shared.case, target)
                file = sorted(target.glob(pattern_))[0]
                flip(file, file.stat().st_size // 2)
                said = self.verify(name, 1)
                self.assertIn("ALTERED", said)
                self.assertIn("signature" if file.name == "manifest.sig" else file.name, said)

    def test_by_openssl_alone(self):
        """Manifest and signature verify with sha256sum and openssl alone, as VERIFY.txt says."""
        case = self.shared.case
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "signer.pem", "-rawin", "-in",
                        "manifest.json", "-sigfile", "manifest.sig"], cwd=case, check=True, capture_output=True, timeout=20)
        text = (case / "VERIFY.txt").read_text()
        self.assertIn("openssl", text)
        self.assertIn("sha256sum", text)
        manifest = json.loads((case / "manifest.json").read_text())
        files = {row["path"]: row for row in manifest["files"]}
        for path, row in files.items():
            data = (case / path).read_bytes()
            self.assertEqual(row["sha256"], hashlib.sha256(data).hexdigest(), path)
        self.assertTrue(any(path.startswith("log/") for path in files))

    def test_har(self):
        """The HAR is valid JSON with every exchange and its bodies, text and binary."""
        self.shared.run("evidence", "export", "case", "--har", "-o", "t.har")
        log = json.loads((self.shared.path / "t.har").read_text())["log"]
        self.assertEqual(log["version"], "1.2")
        entries = {entry["request"]["url"].split("/")[-1]: entry for entry in log["entries"]}
        self.assertEqual(set(entries), {"first?imei=490154203237518", "echo", "chunked?30000"})
        echo = entries["echo"]
        self.assertEqual((echo["request"]["method"], echo["response"]["status"], echo["serverIPAddress"]),
                         ("POST", 200, "127.0.0.1"))
        content = entries["chunked?30000"]["response"]["content"]
        self.assertEqual(base64.b64decode(content["text"]) if content.get("encoding") == "base64"
                         else content["text"].encode(), pattern(30000))
        content = echo["response"]["content"]
        self.assertEqual(content["encoding"], "base64")
        self.assertEqual(base64.b64decode(content["text"]), b"text \xff binary" * 100)

    def test_lists(self):
        """flows, findings and evidence list speak JSON with the documented names."""
        flows = self.shared.flows()
        self.assertEqual(len(flows), 3)
        names = set("flow device client started ended method url host sni port protocol address candidates region "
                    "treatment status request_bytes response_bytes findings decided applied rule exposure error shadow".split())
        for flow in flows:
            self.assertEqual(set(flow), names)
        finding = self.shared.findings("finding:imei")[0]
        names = set("flow time device url direction region address kind certainty location path encoding offset length "
                    "value decided applied rule".split())
        self.assertEqual(set(finding), names)
        self.assertEqual((finding["kind"], finding["certainty"], finding["location"], finding["path"], finding["encoding"]),
                         ("imei", "certain", "query", "imei", ["plain"]))
        self.assertIn("case", json.dumps(self.shared.rows("evidence", "list")))

    def test_show(self):
        """show prints a flow with its heads and findings, and its bodies byte for byte."""
        flow = [flow for flow in self.shared.flows() if flow["url"].endswith("/echo")][0]
        said = self.shared.run("show", flow["flow"], "--case", "case").out
        self.assertIn("POST /echo HTTP/1.1", said)
        self.assertIn("HTTP/1.1 200 OK", said)
        for side in ("request", "response"):
            raw = self.shared.run("show", flow["flow"], "--case", "case", "--body", side, "--raw", binary_output=True).out
            self.assertEqual(raw, b"text \xff binary" * 100)
        self.assertIn(self.shared.run("show", "f-999999", "--case", "case", expect=None).code, (1, 2))

    def test_mark(self):
        """A mark is in the log, between the flows that it lies between."""
        events = [json.loads(line) for line in lines_of(self.shared.case)]
        marks = [event for event in events if event["type"] == "mark"]
        self.assertEqual(len(marks), 1)
        self.assertIn("SIM inserted", json.dumps(marks[0]))
        starts = [event["seq"] for event in events if event["type"] == "flow-start"]
        self.assertLess(starts[0], marks[0]["seq"])
        self.assertLess(marks[0]["seq"], starts[1])

    def test_sealed_is_not_continued(self):
        """run --case with a sealed case is exit 2 and changes nothing in it."""
        before = {file: file.read_bytes() for file in (self.shared.case / "log").iterdir()}
        done = self.shared.run("run", "-c", "tidewaiter.yaml", "--case", "case", expect=2)
        self.assertOneClearLine(done.err, "case", "sealed")
        self.assertEqual(before, {file: file.read_bytes() for file in (self.shared.case / "log").iterdir()})

    def test_unknown_case(self):
        """A case that is not there is one clear line and exit 2."""
        for arguments in (["flows", "--case", "nowhere"], ["evidence", "verify", "nowhere"],
                          ["show", "f-000001", "--case", "nowhere"]):
            with self.subTest(arguments):
                self.assertOneClearLine(self.shared.run(*arguments, expect=2).err, "nowhere")

    def test_bad_filter(self):
        """A filter with an unknown key is one clear line and exit 2."""
        self.assertOneClearLine(self.shared.run("flows", "regoin:CN", "--case", "case", expect=2).err, "regoin")

    def test_no_secrets(self):
        """Neither the authority's key nor an identifier's plain value is in findings or manifest."""
        key = (self.shared.path / "certs/ca.key").read_text().splitlines()[1]
        for file in self.shared.case.rglob("*"):
            if file.is_file():
                self.assertNotIn(key.encode(), file.read_bytes())
        self.assertNotIn("490154203237518", re.sub(r'"url":"[^"]*"', "", (self.shared.case / "findings.ndjson").read_text()))


class Devices(LoopbackTest):
    def test_device_commands(self):
        """device add makes a profile that device list and show know."""
        folder = Folder()
        self.addCleanup(folder.close)
        folder.run("device", "add", "tablet")
        self.assertTrue((folder.path / "devices/tablet.yaml").exists())
        self.assertIn("tablet", folder.run("device", "list").out)
        self.assertIn("phone", folder.run("device", "list").out)
        self.assertIn("imei", folder.run("device", "show", "phone").out)

    def test_doctor_without_an_answer(self):
        """doctor tells what kept a proxy that holds the control socket from answering, and fails."""
        folder = Folder()
        self.addCleanup(folder.close)
        folder.run("ca", "init")
        rows = {row["check"]: row for row in parse_json(folder.run("doctor", "--json", expect=None).out)}
        self.assertNotIn("running", rows)
        with socket.socket(socket.AF_UNIX) as listener:
            path = folder.path / "cases/control.sock"
            path.parent.mkdir(exist_ok=True)
            listener.bind(str(path))
            listener.listen()

            def answer():
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(1 << 10)
                    client.sendall(b"x" * (2 << 20))

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            said = folder.run("doctor", "--json", expect=1).out
            thread.join(10)
        row = {row["check"]: row for row in parse_json(said)}["running"]
        self.assertFalse(row["ok"])
        self.assertIn("the reply is over 1048576 bytes", row["detail"])

    def test_doctor(self):
        """doctor names what it checked and the inspectors there are."""
        folder = Folder()
        self.addCleanup(folder.close)
        folder.run("ca", "init")
        self.assertIn("imei", folder.run("doctor", expect=None).out.lower())
