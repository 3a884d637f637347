"""Scanners outside the process: c-icap with ClamAV, the program of docs/scanners.md, and ones that misbehave."""

import base64
import contextlib
import gzip
import json
import pathlib
import re
import socket
import sys
import threading
import unittest

import pki
import scanners
from harness import REPOSITORY, LoopbackTest, Proxy, eventually
from identifiers import HOSTS, OUTSIDE
from origins import Origin, pattern
from ports import free_port, listener

NO_RULES = "version: 1\nrules: []\n"
WORDS_RULES = """\
version: 1
rules:
  - id: no-project-names
    when: { finding: [project_name], direction: request }
    then: redact
"""


class Counter:
    """A port that leads to another one, and counts connections and the bytes sent to it."""

    def __init__(self, port):
        self.target = port
        self.connections = 0
        self.sent = 0
        self.sockets = []
        self.listener = listener()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.connections += 1
                far = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [near, far]
                for source, sink, counts in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._copy, args=(source, sink, counts), daemon=True).start()

    def _copy(self, source, sink, counts):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.sent += len(data) if counts else 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        """Ends all connections, as a server does that starts anew."""
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self.listener.close()


def answering(bodies):
    """An origin's handler: what `bodies` has for a path, else `ok`."""
    def answer(exchange):
        exchange.body()
        exchange.reply(body=bodies.get(exchange.request.target, b"ok"))
        return True
    return answer


class ScannerTest(LoopbackTest):
    """Common to the suites: one origin, and proxies with scanners of their own."""

    bodies = {}

    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin(answering(cls.bodies), leaf=pki.shared().leaf(OUTSIDE)))

    def proxy(self, mode, *, rules=NO_RULES, files=None, limits=None, **inspect):
        def before(folder):
            for name, text in (files or {}).items():
                folder.write(name, text)
        return self.enterContext(Proxy(
            mode=mode, hosts=HOSTS, rules=rules, before_start=before, config={"inspect": {**(limits or {}), **inspect}}))

    def get(self, proxy, path="/", body=None, fields=()):
        return proxy.fetch(OUTSIDE, self.origin.port, path, "POST" if body is not None else "GET", body, fields)

    def last(self, proxy):
        """The last flow, over, and its notes."""
        flow = eventually(lambda: [flow for flow in proxy.flows() if flow.get("ended")])[-1]
        return flow, [line["text"] for line in self.log(proxy) if line["type"] == "note" and line.get("flow") == flow["flow"]]

    def log(self, proxy):
        return [json.loads(line) for file in sorted((proxy.case / "log").iterdir())
                for line in file.read_text().splitlines()]


@unittest.skipIf(scanners.missing(), f"not installed: {', '.join(scanners.missing())}")
class ClamAV(ScannerTest):
    """c-icap with ClamAV keeps its test file out, and is spoken with as RFC 3507 has it."""

    bodies = {"/eicar": scanners.EICAR, "/large": pattern(300_000), "/gzip": gzip.compress(scanners.EICAR)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clamd = cls.enterClassContext(scanners.Clamd())
        cls.icap = cls.enterClassContext(scanners.CIcap(cls.clamd))

    def service(self, mode="respmod", port=None, path="avscan", **more):
        return {"name": "av", "url": f"icap://127.0.0.1:{port or self.icap.port}/{path}", "mode": mode, **more}

    def test_response_blocked(self):
        """In block mode the test file does not reach the device; a clean one does, unchanged."""
        proxy = self.proxy("block", icap=[self.service()])
        self.assertEqual(self.get(proxy, "/").body, b"ok")
        self.assertEqual(self.get(proxy, "/large").body, pattern(300_000))
        answer = self.get(proxy, "/eicar")
        self.assertEqual(answer.status, 451)
        self.assertNotIn(scanners.EICAR, answer.body)
        flow, notes = self.last(proxy)
        self.assertEqual((flow["rule"], flow["applied"]), ("scanner:av", "block"))
        self.assertIn(scanners.SIGNATURE, notes[0])
        finding = proxy.findings("finding:scanner")[0]
        self.assertEqual((finding["direction"], finding["decided"]), ("response", "block"))

    def test_request_blocked(self):
        """An upload of the test file does not reach the server."""
        proxy = self.proxy("block", icap=[self.service("reqmod")])
        before = len(self.origin.connections)
        self.assertEqual(self.get(proxy, body=b"clean").status, 200)
        self.assertEqual(self.get(proxy, body=scanners.EICAR).status, 451)
        received = b"".join(bytes(connection.received) for connection in self.origin.connections[before:])
        self.assertIn(b"clean", received)
        self.assertNotIn(scanners.EICAR, received)
        self.assertEqual(self.last(proxy)[0]["exposure"], 0)

    def test_record(self):
        """In record mode the test file passes as it is, and the case says what would have been done."""
        proxy = self.proxy("record", icap=[self.service()])
        self.assertEqual(self.get(proxy, "/eicar").body, scanners.EICAR)
        flow, notes = self.last(proxy)
        self.assertEqual((flow["decided"], flow["applied"], flow["error"]), ("block", "log", None))
        self.assertIn("it passes as it was", notes[0])
        self.assertEqual(len(proxy.findings("finding:scanner")), 1)

    def test_http2(self):
        """Over HTTP/2 the stream is answered with 451, and the connection lives."""
        import http2_origin  # needs the virtual environment

        proxy = self.proxy("block", icap=[self.service("reqmod")])
        with http2_origin.Origin(leaf=pki.shared().leaf(OUTSIDE)) as origin, \
                proxy.http2(OUTSIDE, origin.port) as device:
            for body, status in ((b"clean", 200), (scanners.EICAR, 451), (b"clean", 200)):
                answer = device.fetch(f"{OUTSIDE}:{origin.port}", method="POST", body=body)
                self.assertEqual(answer.status, status)

    def test_keeps_connection(self):
        """Many messages go over one connection; where a preview is enough, no more is sent."""
        with Counter(self.icap.port) as counter:
            proxy = self.proxy("block", icap=[self.service(port=counter.port, path="echo")])
            for _ in range(8):
                self.assertEqual(self.get(proxy, "/large").body, pattern(300_000))
            self.assertEqual(counter.connections, 1)
            # c-icap's echo service has seen enough of every other message after its preview
            self.assertLess(counter.sent, 5 * 300_000)
            self.assertGreater(counter.sent, 3 * 300_000)
        seen = [line for line in self.icap.log("access.log") if line.startswith("RESPMOD echo")]
        self.assertGreaterEqual(sum(" 204 " in line for line in seen), 4, seen)

    def test_virus_scan_preview(self):
        """What the service has to see whole it asks for after the preview."""
        with Counter(self.icap.port) as counter:
            proxy = self.proxy("block", icap=[self.service(port=counter.port)])
            self.assertEqual(self.get(proxy, "/large").body, pattern(300_000))
            self.assertGreater(counter.sent, 300_000)

    def test_cut(self):
        """A server that ends its idle connections costs no message: the next one goes over a new one."""
        with Counter(self.icap.port) as counter:
            proxy = self.proxy("block", icap=[self.service(port=counter.port)])
            for number in range(1, 4):
                self.assertEqual(self.get(proxy).status, 200)
                self.assertEqual(counter.connections, number)
                counter.cut()


class DeadService(ScannerTest):
    """An ICAP service that is not there, or does not answer."""

    def icap(self, port, **more):
        return [{"name": "av", "url": f"icap://127.0.0.1:{port}/avscan", "mode": "respmod", **more}]

    def test_bypass(self):
        """With on_error: bypass messages pass in block mode, noted."""
        proxy = self.proxy("block", icap=self.icap(free_port(), on_error="bypass"))
        self.assertEqual(self.get(proxy).body, b"ok")
        self.assertEqual(self.last(proxy)[1], ["scanner av: connection refused; on_error: bypass"])

    def test_block(self):
        """With on_error: block, and by default in block mode, they are refused with 503."""
        for more in ({"on_error": "block"}, {}):
            proxy = self.proxy("block", icap=self.icap(free_port(), **more))
            self.assertEqual(self.get(proxy).status, 503)
            self.assertEqual(self.last(proxy)[0]["error"]["code"], "over-limit")

    def test_record(self):
        """In record mode messages pass, whatever on_error says."""
        for more in ({"on_error": "block"}, {}):
            proxy = self.proxy("record", icap=self.icap(free_port(), **more))
            self.assertEqual(self.get(proxy).body, b"ok")
            self.assertEqual(len(self.last(proxy)[1]), 1)

    def test_stall(self):
        """A service that says nothing is waited for as long as its timeout."""
        with listener() as silent:
            proxy = self.proxy("block", icap=self.icap(silent.getsockname()[1], timeout="300ms"))
            self.assertEqual(self.get(proxy).status, 503)
            self.assertIn("no answer in time", self.last(proxy)[1][0])

    def test_stop(self):
        """The proxy stops in time while a service is silent."""
        with listener() as silent:
            proxy = self.proxy("block", icap=self.icap(silent.getsockname()[1], timeout="60s"))
            with proxy.tunnel(OUTSIDE, self.origin.port) as wire:
                wire.send(f"GET / HTTP/1.1\r\nHost: {OUTSIDE}:{self.origin.port}\r\n\r\n".encode())
                silent.settimeout(20)
                silent.accept()
                proxy.stop()


class Programs(ScannerTest):
    """Programs that read a JSON line and write one."""

    def program(self, text, **more):
        return {"files": {"scan.py": text},
                "processes": [{"name": "words", "command": [sys.executable, "scan.py"], **more}]}

    def always(self, text):
        return f"import sys\nfor line in sys.stdin:\n    print({text!r}, flush=True)\n"

    def documented(self):
        return (REPOSITORY / "docs/scanners/words.py").read_text()

    def test_documented(self):
        """The program in docs/scanners.md is the one beside it, and it is short."""
        printed = re.search(r"```python\n(.*?)```", (REPOSITORY / "docs/scanners.md").read_text(), re.DOTALL)[1]
        self.assertEqual(printed, self.documented())
        self.assertLessEqual(len(printed.splitlines()), 21)

    def test_words(self):
        """The documented program's findings are redacted where it says; its verdict blocks."""
        proxy = self.proxy("block", rules=WORDS_RULES, **self.program(
            self.documented(), direction="request", kinds=["project_name"]))
        before = len(self.origin.connections)
        body = json.dumps({"note": "PROJECT-FERRY starts", "n": 1}).encode()
        self.assertEqual(self.get(proxy, body=body, fields=[("Content-Type", "application/json")]).status, 200)
        sent = self.origin.connections[before].requests[0].body
        self.assertNotIn(b"PROJECT-FERRY", sent)
        self.assertEqual(json.loads(sent)["n"], 1)
        finding = proxy.findings("finding:project_name")[0]
        self.assertEqual((finding["applied"], finding["offset"], finding["length"]),
                         ("redact", body.index(b"PROJECT"), len("PROJECT-FERRY")))
        self.assertEqual(self.get(proxy, body=b"this is TOP SECRET").status, 451)
        flow, notes = self.last(proxy)
        self.assertEqual(flow["rule"], "scanner:words")
        self.assertEqual(notes, ["scanner words: refused the request: a top secret"])

    def test_words_recorded(self):
        """In record mode nothing is changed, and all of it is recorded; compressed content is shown as it reads."""
        proxy = self.proxy("record", rules=WORDS_RULES, **self.program(self.documented(), kinds=["project_name"]))
        before = len(self.origin.connections)
        body = gzip.compress(b"PROJECT-FERRY, TOP SECRET")
        self.assertEqual(self.get(proxy, body=body, fields=[("Content-Encoding", "gzip")]).status, 200)
        self.assertEqual(self.origin.connections[before].requests[0].body, body)
        self.assertEqual(len(proxy.findings("finding:project_name")), 1)
        self.assertEqual(self.last(proxy)[0]["decided"], "block")

    def test_question(self):
        """A program is told what the documentation says."""
        program = "import sys\nfor line in sys.stdin:\n    open('asked', 'a').write(line)\n    print('{}', flush=True)\n"
        proxy = self.proxy("record", **self.program(program))
        self.get(proxy, "/a?b=c", body=b"\xff\x00", fields=[("X-Some", "thing")])
        request, response = [json.loads(line) for line in (proxy.path / "asked").read_text().splitlines()]
        self.assertEqual((request["direction"], request["method"], request["device"]), ("request", "POST", "phone"))
        self.assertEqual(request["url"], f"https://{OUTSIDE}:{self.origin.port}/a?b=c")
        self.assertIn(["X-Some", "thing"], request["headers"])
        self.assertEqual(base64.b64decode(request["body"]), b"\xff\x00")
        self.assertNotIn("text", request)
        self.assertEqual((response["direction"], response["status"], response["text"]), ("response", 200, "ok"))

    def test_misbehaviour(self):
        """Crash, stall, nonsense, an endless line: each costs its own message, and what comes next is scanned."""
        hostile = {
            "crash": "sys.exit(3)", "stall": "time.sleep(1000)", "nonsense": "print('no', flush=True)",
            "endless": "print('x' * 3_000_000, flush=True)", "twice": "print('{}\\n{}', flush=True)"}
        for name, act in hostile.items():
            with self.subTest(name):
                program = ("import json, sys, time\nfor line in sys.stdin:\n"
                           "    if '\"text\":\"evil\"' in line:\n"
                           f"        {act}\n        continue\n"
                           "    print('{}', flush=True)\n")
                proxy = self.proxy("block", **self.program(program, direction="request", timeout="1s"))
                self.assertEqual(self.get(proxy, body=b"good").status, 200)
                status = self.get(proxy, body=b"evil").status
                self.assertEqual(status, 200 if name == "twice" else 503)
                self.assertTrue(eventually(lambda: self.get(proxy, body=b"good").status == 200))

    def test_missing_program(self):
        """A program that is not there stops nothing in record mode, and everything in block mode."""
        for mode, status in (("record", 200), ("block", 503)):
            proxy = self.proxy(mode, processes=[{"name": "words", "command": ["./no-such-program"]}])
            self.assertEqual(self.get(proxy).status, status)
            self.assertTrue(any("cannot start ./no-such-program" in line for line in proxy.errors), proxy.errors)

    def test_stop(self):
        """Stopping the proxy stops its programs and what they started, willing or not."""
        program = ("import os, signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                   "child = subprocess.Popen(['sleep', '1000'])\n"
                   "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
                   "for line in sys.stdin:\n    print('{}', flush=True)\nsignal.pause()\n")
        proxy = self.proxy("record", **self.program(program))
        pids = eventually(lambda: (proxy.path / "pids").exists() and (proxy.path / "pids").read_text().split())
        self.get(proxy)
        proxy.stop()
        self.assertTrue(eventually(lambda: not any(self.lives(pid) for pid in pids)))

    @staticmethod
    def lives(pid):
        with contextlib.suppress(FileNotFoundError):
            return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
        return False

    def test_over_hold_limit(self):
        """A body over the hold limit is not scanned: refused in block mode, passed with bypass."""
        for on_error, status in (("block", 503), ("bypass", 200)):
            proxy = self.proxy("block", limits={"hold_limit": "64KiB"}, **self.program(
                self.always("{}"), on_error=on_error))
            self.assertEqual(self.get(proxy, body=pattern(200_000)).status, status)
            self.assertIn("over the hold limit", self.last(proxy)[1][0])
