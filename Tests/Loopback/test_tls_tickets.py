"""Session tickets: what a device resumes, what it cannot, and that nothing that went bad is resumed (TLS-12, 35)."""

import json
import socket
import ssl
import subprocess

import hello
import pki
from harness import LoopbackTest, alert_of, environment_with, eventually, lines_of
from origins import Origin

NAME, OTHER = "origin.example", "other.example"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
TRIES = 8  # more than a few, so that both loops get some


def control(proxy, command):
    """An answer on the control socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(str(proxy.path / "cases/control.sock"))
        line.sendall(json.dumps({"command": command}).encode() + b"\n")
        said = b""
        while not said.endswith(b"\n") and (piece := line.recv(65536)):
            said += piece
    return json.loads(said)


class Device:
    """A client with one context: a session of Python's belongs to the context that it came from."""

    def __init__(self, proxy, version, alpn=None):
        self.proxy = proxy
        self.context = proxy.context(version, alpn)
        self.context.minimum_version = version

    def visit(self, host, port, session=None, trusting=None):
        """One request: whether the session was resumed, and the newest session afterwards."""
        context = self.context
        if trusting:
            context.load_verify_locations(trusting)
        reply, wire = self.proxy.connect(f"{host}:{port}")
        with wire:
            assert reply.status == 200, reply.start
            wire.sock = context.wrap_socket(wire.sock, server_hostname=host, session=session)
            answer = wire.request("GET", "/", host if port == 443 else f"{host}:{port}")
            assert answer.status == 200, answer.start
            return wire.sock.session_reused, wire.sock.session


class Tickets(LoopbackTest):
    def setUp(self):
        self.shared = self.proxy(hosts={NAME: "127.0.0.1", OTHER: "127.0.0.1"}, config=hello.PATIENT)
        self.server = self.tls_origin(NAME, OTHER)

    def test_resumes_on_every_loop(self):
        """TLS tickets resume on TLS 1.2 and 1.3, whichever loop a connection falls to, and the case says so."""
        for version in VERSIONS:
            with self.subTest(version):
                device = Device(self.shared, version)
                was_resumed, session = device.visit(NAME, self.server.port)
                self.assertFalse(was_resumed)
                self.assertTrue(session.has_ticket)
                for _ in range(TRIES):
                    was_resumed, session = device.visit(NAME, self.server.port, session)
                    self.assertTrue(was_resumed)

    def test_one_ticket_many_times(self):
        """A device that uses the same ticket again and again is served."""
        for version in VERSIONS:
            with self.subTest(version):
                device = Device(self.shared, version)
                _, session = device.visit(NAME, self.server.port)
                for _ in range(TRIES):
                    self.assertTrue(device.visit(NAME, self.server.port, session)[0])

    def test_resumes_with_http2(self):
        """A resumed session agrees on its protocol anew: h2 stays h2."""
        server = self.tls_origin(NAME, alpn=["h2", "http/1.1"], handler=lambda exchange: False)
        for version in VERSIONS:
            with self.subTest(version):
                context = self.shared.context(version, ["h2", "http/1.1"])
                session = None
                for turn in range(3):
                    reply, wire = self.shared.connect(f"{NAME}:{server.port}")
                    with wire:
                        wire.sock = context.wrap_socket(wire.sock, server_hostname=NAME, session=session)
                        self.assertEqual(wire.sock.selected_alpn_protocol(), "h2")
                        wire.sock.recv(1)  # the server's settings; a ticket of TLS 1.3 comes before them
                        self.assertEqual(wire.sock.session_reused, turn > 0)
                        session = wire.sock.session

    def s_client(self, port, *arguments, host=NAME):
        request = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        done = subprocess.run(
            ["openssl", "s_client", "-proxy", f"127.0.0.1:{self.shared.port}", "-connect", f"{host}:{port}",
             "-servername", host, "-CAfile", self.shared.path / "certs/ca.crt", "-ign_eof", *arguments],
            input=request, capture_output=True, timeout=20, env=environment_with())
        return done.stdout.decode("utf-8", "replace")

    def test_openssl_resumes(self):
        """openssl's own file of a session resumes in another process, on TLS 1.2 and 1.3, at its host and nowhere else."""
        for option in ("-tls1_2", "-tls1_3"):
            with self.subTest(option):
                file = self.shared.path / f"session{option}"
                said = self.s_client(self.server.port, option, "-sess_out", file)
                self.assertIn("\nNew, ", said)
                self.assertIn("HTTP/1.1 200", said)
                for _ in range(3):
                    said = self.s_client(self.server.port, option, "-sess_in", file)
                    self.assertIn("\nReused, ", said)
                    self.assertIn("HTTP/1.1 200", said)
                said = self.s_client(self.server.port, option, "-sess_in", file, host=OTHER)
                self.assertIn("\nNew, ", said)
                self.assertIn(OTHER, said)

    def test_other_host(self):
        """TLS-12: a ticket of one host opens nothing at another, neither on its own server nor behind the same address."""
        other = self.tls_origin(OTHER)
        for version in VERSIONS:
            with self.subTest(version):
                device = Device(self.shared, version)
                _, session = device.visit(NAME, self.server.port)
                for port in (self.server.port, other.port):
                    for _ in range(TRIES // 2):
                        self.assertFalse(device.visit(OTHER, port, session)[0])
                self.assertTrue(device.visit(NAME, self.server.port, session)[0])

    def test_other_port(self):
        """TLS-12: a ticket opens nothing at another port of its host, where another server is."""
        other = self.tls_origin(NAME)
        for version in VERSIONS:
            with self.subTest(version):
                device = Device(self.shared, version)
                _, session = device.visit(NAME, self.server.port)
                self.assertFalse(device.visit(NAME, other.port, session)[0])

    def test_restart(self):
        """A ticket of before a restart opens nothing, and nothing of it is on disk."""
        devices = {version: Device(self.shared, version) for version in VERSIONS}
        sessions = {version: device.visit(NAME, self.server.port)[1] for version, device in devices.items()}
        self.shared.stop()
        self.shared.start("--case", "second")
        for version, device in devices.items():
            with self.subTest(version):
                was_resumed, session = device.visit(NAME, self.server.port, sessions[version])
                self.assertFalse(was_resumed)
                self.assertTrue(device.visit(NAME, self.server.port, session)[0])

    def test_another_authority(self):
        """A ticket of before a change of the authority opens nothing."""
        devices = {version: Device(self.shared, version) for version in VERSIONS}
        sessions = {version: device.visit(NAME, self.server.port)[1] for version, device in devices.items()}
        self.shared.stop()
        for file in (self.shared.path / "certs").iterdir():
            file.unlink()
        self.shared.start("--case", "second")
        for version, device in devices.items():
            with self.subTest(version):
                self.assertFalse(device.visit(NAME, self.server.port, sessions[version],
                                              trusting=self.shared.path / "certs/ca.crt")[0])

    def test_a_server_that_turns_bad(self):
        """TLS-12: a device with a ticket is refused as any other once the server's certificate is bad."""
        for version in VERSIONS:
            with self.subTest(version), Origin(leaf=pki.shared().leaf(NAME)) as server:
                device = Device(self.shared, version)
                _, session = device.visit(NAME, server.port)
                self.assertTrue(device.visit(NAME, server.port, session)[0])
                requests = len(server.requests)
                # a server with another certificate has other keys for its tickets
                replaced = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                replaced.load_cert_chain(*map(str, pki.shared().leaf(NAME, kind="expired")))
                server.context = replaced
                for _ in range(TRIES // 2):
                    with self.assertRaises(ssl.SSLError) as caught:
                        device.visit(NAME, server.port, session)
                    self.assertEqual(alert_of(caught.exception), "certificate_expired")
                self.assertEqual(len(server.requests), requests)

    def test_no_early_data(self):
        """No ticket allows early data, so that a client which would send some has none to send."""
        file, early = self.shared.path / "session", self.shared.path / "early"
        early.write_text(f"GET /early HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\n\r\n")
        self.s_client(self.server.port, "-tls1_3", "-sess_out", file)
        self.assertIn(b"Max Early Data: 0", pki.openssl("sess_id", "-in", file, "-noout", "-text"))
        said = self.s_client(self.server.port, "-tls1_3", "-sess_in", file, "-early_data", early)
        self.assertIn("Reused, ", said)
        self.assertNotIn("Early data was accepted", said)
        self.assertNotIn(b"/early", self.server.received)

    def handshakes(self, leg):
        found = [json.loads(line) for line in lines_of(self.shared.case)]
        return [line for line in found if line["type"] == "handshake" and line["leg"] == leg]

    def test_recorded_and_counted(self):
        """Resumed handshakes are recorded as such on both legs, with the server's chain, and counted in the status."""
        for version in VERSIONS:
            device, session = Device(self.shared, version), None
            for _ in range(4):
                _, session = device.visit(NAME, self.server.port, session)
        def recorded():
            lines = self.handshakes("downstream")
            return lines if len(lines) == 8 and len(self.handshakes("upstream")) == 8 else None
        downstream = eventually(recorded)
        self.assertEqual([line["resumed"] for line in downstream], [False, True, True, True] * 2)
        upstream = self.handshakes("upstream")
        self.assertFalse(upstream[0]["resumed"])
        self.assertTrue(any(line["resumed"] for line in upstream))
        for line in upstream:
            self.assertEqual(line["verification"], "ok")
            self.assertEqual(line["chain"], upstream[0]["chain"])
            self.assertTrue(line["chain"])
            self.assertTrue(line["revocation"]["status"])
        counted = control(self.shared, "status")["status"]["handshakes"]
        resumed = sum(line["resumed"] for line in upstream)
        self.assertEqual(counted, ["device 8, 6 resumed", f"server 8, {resumed} resumed"])
        self.assertIn("6 resumed", self.shared.run("doctor", expect=None).out)

    def test_nothing_on_disk(self):
        """No file of the proxy's has the secret that a ticket stands for, nor the ticket, but for the case's key log."""
        device = Device(self.shared, ssl.TLSVersion.TLSv1_2)
        log = self.shared.path / "client.keys"
        device.context.keylog_filename = str(log)
        _, session = device.visit(NAME, self.server.port)
        device.visit(NAME, self.server.port, session)
        self.shared.stop()
        secrets = {bytes.fromhex(line.split()[2]) for line in log.read_text().splitlines() if line.startswith("CLIENT_RANDOM")}
        self.assertTrue(secrets)
        for file in self.shared.path.rglob("*"):
            if file.is_file() and file != log and "wire" not in file.parts:
                data = file.read_bytes()
                for secret in secrets:
                    self.assertFalse(secret in data or secret.hex().encode() in data.lower(), file)
