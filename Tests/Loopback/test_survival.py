"""What survives: a kill, a stop in the middle of everything, a full disk."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading

from harness import Folder, LoopbackTest, binary, environment_with, eventually, lines_of
from origins import pattern
from ports import listener

NAME = "origin.example"


class Survival(LoopbackTest):
    weight = 3

    def setUp(self):
        self.server = self.tls_origin(NAME)

    def test_kill(self):
        """Killed at any moment, the case opens, verifies up to the cut, and goes on with --case."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        proxy.fetch(NAME, self.server.port, "/before-the-kill")
        proxy.flow_of("/before-the-kill")
        wire = proxy.tunnel(NAME, self.server.port)
        self.addCleanup(wire.close)
        wire.send(f"POST /echo?open HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nContent-Length: 5000\r\n\r\nhalf".encode())
        proxy.flow_of("/echo?open", ended=False)
        proxy.kill()
        said = proxy.run("evidence", "verify", "case", expect=None)
        self.assertNotIn("ALTERED", said.out)
        self.assertIn("not sealed", said.out.lower().replace("unsealed", "not sealed"))
        before = {flow["flow"] for flow in proxy.flows()}
        # and a torn last line, as a power cut leaves it
        log = sorted((proxy.case / "log").iterdir())[-1]
        with log.open("ab") as file:
            file.write(b'{"seq":99999,"time":"2026-11')
        proxy.start("--case", "case")
        proxy.fetch(NAME, self.server.port, "/after-the-kill")
        after = proxy.flow_of("/after-the-kill")
        self.assertNotIn(after["flow"], before)
        self.assertTrue(before <= {flow["flow"] for flow in proxy.flows()})
        proxy.stop()
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        self.assertIn("recovered", {json.loads(line)["type"] for line in lines_of(proxy.case)})

    def test_open_flow_is_visible(self):
        """A flow that is still open is in the list, without an end."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        with proxy.tunnel(NAME, self.server.port) as wire:
            wire.send(f"POST /echo?still HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nContent-Length: 50\r\n\r\n".encode())
            self.assertIsNone(proxy.flow_of("/echo?still", ended=False)["ended"])

    def test_seal_command(self):
        """evidence seal closes a case that was left open, and only once."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        proxy.fetch(NAME, self.server.port, "/sealed-later")
        proxy.flow_of("/sealed-later")
        proxy.kill()
        proxy.run("evidence", "seal", "case")
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        self.assertEqual(proxy.run("evidence", "seal", "case", expect=None).code, 2)

    def test_seal_of_a_running_case(self):
        """A case that a proxy is writing is not sealed under it."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        self.assertNotEqual(proxy.run("evidence", "seal", "case", expect=None).code, 0)
        self.assertEqual(proxy.fetch(NAME, self.server.port, "/goes-on").status, 200)

    def test_index_is_rebuilt(self):
        """Without its index the case lists the same flows."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        for number in range(3):
            proxy.fetch(NAME, self.server.port, f"/indexed/{number}")
        proxy.stop()
        before = proxy.flows()
        for file in proxy.case.glob("flows.sqlite*"):
            file.unlink()
        self.assertEqual(proxy.flows(), before)
        self.assertEqual(len(before), 3)

    def test_stop_command(self):
        """`tidewaiter stop` ends the running proxy, sealed."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        proxy.run("stop")
        self.assertEqual(proxy.process.wait(20), 0)
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)

    def test_stop_right_after_ready(self):
        """A signal that comes with the line `ready` stops the proxy in order, sealed."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            folder = Folder()
            self.addCleanup(folder.close)
            process = subprocess.Popen(
                [binary(), "run", "-c", "tidewaiter.yaml"], cwd=folder.path, env=environment_with(),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            # no waiting in between: that is the test
            for line in process.stdout:
                if line == b"ready\n":
                    process.send_signal(number)
                    break
            process.stdout.read()
            process.stdout.close()
            self.assertEqual(process.wait(20), 0)
            self.assertIn("INTACT", folder.run("evidence", "verify", "case").out)

    def test_stop_with_everything_open(self):
        """Connections in every stage do not keep the proxy from stopping in order, and each flow has its end."""
        silent = self.enterContext(listener())
        full = self.tls_origin(NAME, handler=lambda exchange: exchange.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20) + pattern(64 << 20)))
        through = self.tls_origin("pinned.example")
        proxy = self.proxy(hosts={NAME: "127.0.0.1", "pinned.example": "127.0.0.1"}, config={
            "tls": {"passthrough": ["pinned.example"]}, "upstream": {"allow_special_use": ["loopback"]}})
        host = f"{NAME}:{self.server.port}"
        open_ = [proxy.dial(), proxy.connect(host)[1], proxy.connect(f"{NAME}:{silent.getsockname()[1]}")[1]]
        open_[0].send(b"GET http://origin.example/ HT")
        idle = proxy.tunnel(NAME, self.server.port)
        idle.request("GET", "/idle", host)
        upload = proxy.tunnel(NAME, self.server.port)
        upload.send(f"POST /echo?stuck HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000\r\n\r\nsome".encode())
        unread = proxy.tunnel(NAME, full.port)
        unread.send(f"GET /unread HTTP/1.1\r\nHost: {NAME}:{full.port}\r\n\r\n".encode())
        unread.head()
        passed = proxy.tunnel("pinned.example", through.port, context=ssl.create_default_context(cafile=str(proxy.path / "roots.pem")))
        for wire in [*open_, idle, upload, unread, passed]:
            self.addCleanup(wire.close)
        proxy.flow_of("/echo?stuck", ended=False)
        proxy.stop()
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        self.assertEqual([flow["url"] for flow in proxy.flows() if not flow["ended"]], [])

    def test_nobody_to_ask(self):
        """mark, reload and stop without a running proxy are one clear line and exit 3."""
        proxy = self.proxy()
        proxy.stop()
        for arguments in (["mark", "x"], ["reload"], ["stop"]):
            with self.subTest(arguments):
                self.assertOneClearLine(proxy.run(*arguments, expect=3).err)

    def test_drain(self):
        """An exchange that is under way when the proxy is told to stop is finished."""
        go = threading.Event()

        def handler(exchange):
            go.wait(10)
            exchange.reply(body=b"finished")

        server = self.tls_origin(NAME, handler=handler)
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        with proxy.tunnel(NAME, server.port) as wire:
            wire.send(f"GET /draining HTTP/1.1\r\nHost: {NAME}:{server.port}\r\n\r\n".encode())
            self.assertTrue(eventually(lambda: server.requests))
            proxy.signal(signal.SIGTERM)
            self.assertTrue(eventually(lambda: not self.accepts(proxy)))
            go.set()
            self.assertEqual(wire.response().body, b"finished")
        self.assertEqual(proxy.process.wait(20), 0)
        self.assertIn("/draining", json.dumps(proxy.flows()))

    def accepts(self, proxy):
        try:
            proxy.dial().close()
            return True
        except OSError:
            return False

    def disk(self):
        """A small disk of its own, and ways to fill it and to make room; None where mounting is not permitted."""
        mount = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-disk-"))
        self.addCleanup(os.rmdir, mount)
        tool = shutil.which("mount")
        if not tool or subprocess.run([tool, "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount], capture_output=True).returncode:
            return None
        self.addCleanup(subprocess.run, ["umount", mount], check=True)
        ballast = mount / "ballast"

        def fill():
            with ballast.open("wb", buffering=0) as file:
                try:
                    while file.write(bytes(65536)):
                        pass
                except OSError:
                    pass

        return mount, fill, ballast.unlink

    def test_full_disk(self):
        """On a full disk the proxy says so in one line, traffic waits, and nothing recorded before is lost."""
        disk = self.disk()
        if disk:
            folder, fill, make_room = disk
            proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"case": {"dir": str(folder)}})
        else:
            # as a plain user: a limit on the size of files, which fails the same writes
            proxy = self.proxy(hosts={NAME: "127.0.0.1"}, preexec=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            fill, make_room = (
                lambda size=size: resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (size, hard)) for size in (1, hard))
        self.assertEqual(proxy.fetch(NAME, self.server.port, "/before-full").status, 200)
        proxy.flow_of("/before-full")
        fill()
        with proxy.tunnel(NAME, self.server.port) as wire:
            wire.sock.settimeout(3)
            wire.send(f"POST /echo?waits HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nContent-Length: {24 << 20}\r\n\r\n".encode())
            with self.assertRaises(OSError):
                for _ in range(24):
                    wire.send(os.urandom(1 << 20))
                wire.response()
        said = [line for line in proxy.errors + proxy.lines if re.search("no space|full|too large", line.lower())]
        self.assertEqual(len(said), 1, proxy.errors)
        self.assertIn("case", said[0])
        make_room()
        self.assertEqual(eventually(lambda: proxy.fetch(NAME, self.server.port, "/after-full").status), 200)
        proxy.stop()
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        urls = json.dumps(proxy.flows())
        self.assertIn("/before-full", urls)
        self.assertIn("/after-full", urls)
