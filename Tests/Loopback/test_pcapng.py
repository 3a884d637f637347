"""The capture of the devices' side: tshark decrypts it with nothing but the file."""

import hashlib
import os
import pathlib
import re
import subprocess

import pki
from harness import LoopbackTest, Proxy, environment_with, eventually
from origins import pattern
from programs import Nghttpd, run

NAME = "origin.example"


def echo(exchange):
    exchange.reply(body=b"echo of " + exchange.body(), fields=[("Content-Type", "text/plain")])


class Capturing(LoopbackTest):
    """A proxy that keeps wire/, and tshark without a key file or any other preference."""

    def setUp(self):
        self.need("curl", "tshark", "capinfos")
        self.shared = self.proxy(hosts={NAME: "127.0.0.1", "plain.example": "127.0.0.1"})
        self.file = self.shared.path / "out.pcapng"

    def curl(self, url, *arguments):
        return run("curl", "--silent", "--show-error", "--fail", "--proxy", self.shared.url, "--cacert",
                   self.shared.path / "certs/ca.crt", "--max-time", "40", *arguments, url)

    def export(self, *filters, proxy=None):
        self.file.unlink(missing_ok=True)
        return (proxy or self.shared).run("evidence", "export", "case", "--pcapng", "-o", self.file, *filters)

    def tshark(self, *arguments):
        """What tshark says, which it must say of a whole file; its preferences are an empty home's."""
        home = self.shared.path / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            ["tshark", "-r", self.file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *map(str, arguments)],
            capture_output=True, timeout=120, env=environment_with({"HOME": str(home), "XDG_CONFIG_HOME": str(home)}))
        self.assertEqual(done.returncode, 0, done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace")

    def fields(self, condition, *names):
        rows = self.tshark("-Y", condition, "-T", "fields", *(word for name in names for word in ("-e", name)))
        return [line.split("\t") for line in rows.splitlines()]

    def bodies(self):
        """The digests of the contents that tshark finds in messages of HTTP/1."""
        folder = self.shared.path / "objects"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        self.tshark("--export-objects", f"http,{folder}", "-q")
        return {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}

    def assertSound(self):
        """capinfos takes the file, and tshark finds nothing wrong with the packets that we made up."""
        said = run("capinfos", "-M", self.file).decode()
        self.assertRegex(said, r"File encapsulation:\s+rawip")
        self.assertRegex(said, r"File timestamp precision:\s+nanoseconds")
        wrong = "tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0 || _ws.malformed"
        self.assertEqual(self.tshark("-Y", wrong), "")


class Decrypted(Capturing):
    def test_both_versions_of_http(self):
        """HTTP/1.1 by TLS 1.3 and 1.2, and HTTP/2, appear decrypted with their contents, from the exported file alone."""
        self.need("nghttpd")
        first = self.tls_origin(NAME, handler=echo)
        second = self.enterContext(Nghttpd(pki.shared().leaf(NAME), "--echo-upload"))
        for version, arguments in (("13", ()), ("12", ("--tls-max", "1.2"))):
            said = self.curl(f"https://{NAME}:{first.port}/one?tls={version}", "--http1.1", *arguments, "--data", f"a needle of {version}")
            self.assertEqual(said, f"echo of a needle of {version}".encode())
        self.assertEqual(self.curl(f"https://{NAME}:{second.port}/two", "--http2", "--data", "a thread"), b"a thread")
        self.shared.stop()
        self.export()
        self.assertSound()
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        requests = self.fields("http.request", "http.request.method", "http.request.uri")
        self.assertEqual(requests, [["POST", "/one?tls=13"], ["POST", "/one?tls=12"]])
        text = self.tshark("-Y", "http", "-T", "fields", "-e", "http.file_data")
        for version in ("13", "12"):
            self.assertIn(f"echo of a needle of {version}", text)
        paths = self.fields("http2.headers.path", "http2.headers.path", "http2.headers.method")
        self.assertEqual(paths, [["/two", "POST"]])
        data = self.tshark("-Y", "http2.data.data", "-T", "fields", "-e", "http2.data.data").replace(":", "").split()
        self.assertEqual(data, [b"a thread".hex()] * 2)
        comment = run("capinfos", "-k", self.file).decode()
        digest = hashlib.sha256((self.shared.case / "manifest.json").read_bytes()).hexdigest()
        self.assertIn(digest, comment)
        self.assertIn("synthetic", comment)

    def test_while_recording(self):
        """A case that is being recorded is exported as far as it has come, and large contents come back byte for byte."""
        server = self.tls_origin(NAME, handler=lambda exchange: exchange.reply(body=pattern(3 << 20)))
        self.assertEqual(self.curl(f"https://{NAME}:{server.port}/large"), pattern(3 << 20))
        self.shared.flow_of("/large")

        def whole():
            self.export()
            return hashlib.sha256(pattern(3 << 20)).hexdigest() in self.bodies()

        self.assertTrue(eventually(whole, 20))
        self.assertSound()

    def test_plain(self):
        """Plain HTTP is there as it was, credentials for the proxy hidden."""
        server = self.origin(echo)
        self.curl(f"http://plain.example:{server.port}/open", "--proxy-user", "someone:verysecret", "--data", "in the clear")
        self.shared.flow_of("/open")
        self.export()
        self.assertSound()
        self.assertEqual([row[0] for row in self.fields("http.request", "http.request.method")], ["POST"])
        self.assertIn("echo of in the clear", self.tshark("-Y", "http", "-T", "fields", "-e", "http.file_data"))
        self.assertIn("proxy-authorization: ***** ", self.tshark("-Y", "http.request", "-V").lower())

    def test_resumption(self):
        """A resumed connection is decrypted like the first, in TLS 1.2 and 1.3."""
        self.need("openssl")
        server = self.tls_origin(NAME, handler=echo)
        for version in ("-tls1_2", "-tls1_3"):
            ticket = self.shared.path / f"session{version}"
            for way in ("-sess_out", "-sess_in"):
                said = self.client(server.port, version, way, ticket, f"/{version}{way}")
                self.assertIn("echo of ", said)
            self.assertIn("Reused, ", said)
        eventually(lambda: len([flow for flow in self.shared.flows() if flow["ended"]]) == 4)
        self.export()
        self.assertSound()
        self.assertEqual({row[0] for row in self.fields("http.request", "http.request.uri")},
                         {f"/{version}{way}" for version in ("-tls1_2", "-tls1_3") for way in ("-sess_out", "-sess_in")})
        self.assertEqual(len(self.fields("http.response", "http.response.code")), 4)

    def test_key_update(self):
        """After a key update of TLS 1.3 (RFC 8446 section 4.6.3), both ways, what follows is decrypted too."""
        self.need("openssl")
        server = self.tls_origin(NAME, handler=echo)
        said = self.client(server.port, "-tls1_3", "-no_ign_eof", None, "/updated", before=b"K\n")
        self.assertIn("KEYUPDATE", said)
        self.assertIn("echo of ", said)
        self.shared.flow_of("/updated")
        self.export()
        self.assertEqual([row[0] for row in self.fields("http.request", "http.request.uri")], ["/updated"])
        self.assertIn("echo of ", self.tshark("-Y", "http.response", "-T", "fields", "-e", "http.file_data"))
        self.assertGreaterEqual(len(self.fields("tls.handshake.type == 24", "frame.number")), 2)

    def client(self, port, version, way, file, path, before=b""):
        """openssl s_client through the proxy: one request and its answer."""
        command = ["openssl", "s_client", "-proxy", f"127.0.0.1:{self.shared.port}", "-connect", f"{NAME}:{port}", "-servername",
                   NAME, "-CAfile", self.shared.path / "certs/ca.crt", version]
        command += [way, file] if file else []
        with subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment_with()) as client:
            said = b""

            def read_until(*marks):
                nonlocal said
                while not any(mark in said for mark in marks):
                    piece = os.read(client.stdout.fileno(), 65536)
                    self.assertTrue(piece, said.decode("utf-8", "replace"))
                    said += piece

            read_until(b"Verify return code", b"Verification")
            if before:
                client.stdin.write(before)
                client.stdin.flush()
                read_until(b"KEYUPDATE")
            client.stdin.write(f"GET {path} HTTP/1.1\r\nHost: {NAME}:{port}\r\n\r\n".encode())
            client.stdin.flush()
            read_until(b"echo of ")
            said += client.communicate(timeout=20)[0]
        return said.decode("utf-8", "replace")


class Chosen(Capturing):
    def test_filter(self):
        """A filter exports whole connections, and no key of another."""
        servers = [self.tls_origin(NAME, handler=echo) for _ in range(2)]
        for server in servers:
            self.curl(f"https://{NAME}:{server.port}/x", "--data", f"for {server.port}")
        self.assertTrue(eventually(lambda: len(self.shared.flows("status:200")) == 2))
        self.export()
        both = self.file.read_bytes()
        self.export(f"port:{servers[0].port}")
        one = self.file.read_bytes()
        randoms = {name: set(re.findall(rb"CLIENT_TRAFFIC_SECRET_0 ([0-9a-f]{64})", data)) for name, data in (("both", both), ("one", one))}
        self.assertEqual((len(randoms["both"]), len(randoms["one"])), (2, 1))
        text = self.tshark("-Y", "http.request", "-T", "fields", "-e", "http.file_data", "-e", "tcp.dstport")
        self.assertEqual(text.split("\t"), [f"for {servers[0].port}", f"{servers[0].port}\n"])

    def test_passthrough(self):
        """Of a host that is passed on undecrypted there is the hello and nothing else."""
        proxy = self.enterContext(Proxy(hosts={NAME: "127.0.0.1"}, config={"tls": {"passthrough": [NAME]}}))
        server = self.tls_origin(NAME, handler=echo)
        run("curl", "--silent", "--proxy", proxy.url, "--cacert", pki.shared().roots, "--data", "unseen", f"https://{NAME}:{server.port}/")
        self.assertTrue(eventually(lambda: [flow for flow in proxy.flows() if flow["ended"]]))
        self.export(proxy=proxy)
        self.assertEqual([row[0] for row in self.fields("tls", "tls.handshake.type")], ["1"])
        self.assertEqual(len(self.fields("tcp.len > 0", "frame.number")), 1)

    def test_not_kept(self):
        """Where case.wire is false there is no capture, which is said in one line, and no file."""
        proxy = self.enterContext(Proxy(hosts={NAME: "127.0.0.1"}, config={"case": {"wire": False}}))
        server = self.tls_origin(NAME, handler=echo)
        with proxy.tunnel(NAME, server.port) as wire:
            wire.request("GET", "/", NAME)
        said = proxy.run("evidence", "export", "case", "--pcapng", "-o", self.file, expect=None)
        self.assertNotEqual(said.code, 0)
        self.assertOneClearLine(said.err, "wire/")
        self.assertFalse(pathlib.Path(self.file).exists())
        self.assertFalse((proxy.case / "wire").exists())
