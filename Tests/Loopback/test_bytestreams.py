"""What is not HTTP: relayed as a stream of bytes that is inspected and recorded, or refused, by rule."""

import socket
import ssl
import json
import threading

import pki
from harness import RULES_REDACT, LoopbackTest, Proxy, eventually, lines_of
from identifiers import HOSTS, IMEI, OUTSIDE, WATCHED, spellings_in
from origins import pattern
from ports import listener
from wire import Truncated, Wire

NAME = "origin.example"
RULES_BLOCKING = RULES_REDACT.replace("then: redact", "then: block")

# An MQTT CONNECT packet (§3.1 of its standard) with a client identifier, and its CONNACK.
HELLO, WELCOME = b"\x10\x13\x00\x04MQTT\x04\x02\x00\x3c\x00\x07tidetst", b"\x20\x02\x00\x00"


def published(text):
    """An MQTT PUBLISH packet, of less than 128 bytes."""
    return bytes([0x30, 5 + len(text)]) + b"\x00\x03a/b" + text


class Peer:
    """A server that is not an HTTP server: `script` gets the wire of each connection."""

    def __init__(self, script, *, names=(NAME, WATCHED, OUTSIDE), address="127.0.0.1", tls=True, alpn=None):
        self.script, self.received, self.agreed, self.accepted = script, bytearray(), [], 0
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*map(str, pki.shared().leaf(*names)))
            if alpn:
                self.context.set_alpn_protocols(alpn)
        self.ended = threading.Semaphore(0)
        self.listener = listener(address)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(20)
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.agreed.append(sock.selected_alpn_protocol())
            self.script(Wire(sock, self.received))
            if self.context:
                sock.unwrap()  # the end is an end, not a cut
        except (OSError, Truncated):
            pass
        finally:
            sock.close()
            self.ended.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def broker(wire):
    """Takes the client's hello first, then sends back whatever it is sent."""
    if wire.exactly(len(HELLO)) == HELLO:
        wire.send(WELCOME)
    while wire.buffer or wire.fill():
        data, wire.buffer = wire.buffer, b""
        wire.send(data)


def mail(wire):
    """Speaks first."""
    wire.send(b"220 mail.example ESMTP\r\n")
    while line := wire.until(b"\r\n", "a line"):
        wire.send(b"250 " + line + b"\r\n")
        if line == b"QUIT":
            return


def quiet(wire):
    """Says nothing, takes everything."""
    wire.to_end()


class StreamTest(LoopbackTest):
    shared = None

    def tearDown(self):
        if self.shared:
            self.assertIsNone(self.shared.process.poll(), "the proxy died of it")

    def peer(self, script, **options):
        return self.enterContext(Peer(script, **options))

    def through(self, proxy, server, name=NAME, alpn=None):
        wire = self.enterContext(proxy.tunnel(name, server.port, context=proxy.context(alpn=alpn)))
        wire.sock.settimeout(8)
        return wire

    def flow_at(self, proxy, server, ended=False):
        """The flow to a server's port."""
        def look():
            found = [flow for flow in proxy.flows() if flow["port"] == server.port]
            return found[0] if found and (found[0]["ended"] or not ended) else None
        flow = eventually(look)
        self.assertTrue(flow, proxy.flows())
        return flow

    def coverage(self, proxy):
        return [event for line in lines_of(proxy.case) if (event := json.loads(line))["type"] == "coverage"]


class ByteStreams(StreamTest):
    """After CONNECT and TLS, in record mode."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={**HOSTS, NAME: "127.0.0.1"}))

    def test_client_speaks_first(self):
        """A protocol in which the client speaks first is relayed both ways, with its own ALPN name and without one."""
        for alpn in (["mqtt"], None):
            with self.subTest(alpn=alpn):
                server = self.peer(broker, alpn=alpn)
                wire = self.through(self.shared, server, alpn=alpn)
                self.assertEqual(wire.sock.selected_alpn_protocol(), alpn and "mqtt")
                wire.send(HELLO)
                self.assertEqual(wire.exactly(len(WELCOME)), WELCOME)
                for size in (10, 100_000, 3):
                    wire.send(pattern(size))
                    self.assertTrue(wire.exactly(size) == pattern(size))
                self.assertEqual(server.agreed, [alpn and "mqtt"])
                flow = self.flow_at(self.shared, server)
                self.assertEqual((flow["protocol"], flow["treatment"], flow["host"]), ("stream", "intercepted", NAME))

    def test_server_speaks_first(self):
        """A protocol in which the server speaks first is relayed: nobody waits for the client."""
        server = self.peer(mail)
        wire = self.through(self.shared, server)
        self.assertEqual(wire.until(b"\r\n", "a banner"), b"220 mail.example ESMTP")
        for line in (b"EHLO phone.example", b"MAIL FROM:<a@phone.example>", b"QUIT"):
            wire.send(line + b"\r\n")
            self.assertEqual(wire.until(b"\r\n", "an answer"), b"250 " + line)
        self.assertEqual(self.flow_at(self.shared, server)["protocol"], "stream")

    def test_found_and_kept(self):
        """An identifier in a stream is found in both directions, and the case keeps the bytes of both."""
        server = self.peer(broker)
        wire = self.through(self.shared, server)
        text = published(b'{"imei":"' + IMEI.encode() + b'"}')
        wire.send(HELLO)
        wire.exactly(len(WELCOME))
        wire.send(text)
        wire.exactly(len(text))
        wire.sock.unwrap()
        flow = self.flow_at(self.shared, server, ended=True)
        rows = [finding for finding in self.shared.findings() if finding["flow"] == flow["flow"]]
        self.assertEqual({(row["kind"], row["direction"], row["certainty"]) for row in rows},
                         {("imei", "request", "certain"), ("imei", "response", "certain")})
        for side, sent in (("request", HELLO + text), ("response", WELCOME + text)):
            kept = self.shared.run("show", flow["flow"], "--case", "case", "--body", side, "--raw", binary_output=True).out
            self.assertEqual(kept, sent)
        self.assertEqual((flow["request_bytes"], flow["response_bytes"]), (len(HELLO + text), len(WELCOME + text)))
        self.assertIn("byte-stream", json.dumps(self.coverage(self.shared)))

    def test_ends(self):
        """The end of either side reaches the other, after everything that was sent before it."""
        server = self.peer(lambda wire: (wire.exactly(5), wire.send(pattern(300_000))))
        wire = self.through(self.shared, server)
        wire.send(b"\x01\x02go!")
        self.assertTrue(wire.to_end() == pattern(300_000))

        server = self.peer(quiet)
        wire = self.through(self.shared, server)
        wire.send(b"\x01 last words")
        wire.close()
        self.assertTrue(server.ended.acquire(timeout=5), "the server is not told")
        self.assertEqual(server.received, b"\x01 last words")

    def test_almost_http(self):
        """Bytes that only begin as HTTP does are not taken for it by half: they are relayed whole or refused whole."""
        for data in (b"GET", b"PRI * XTTP/2.0\r\n\r\n", b"SSH-2.0-client\r\n", b"GETX\x00\x01\x02"):
            with self.subTest(data):
                server = self.peer(quiet)
                wire = self.through(self.shared, server)
                wire.send(data)
                wire.sock.settimeout(0.5)
                try:
                    wire.to_end()
                except OSError:
                    pass
                wire.close()
                if server.accepted:
                    server.ended.acquire(timeout=5)
                self.assertIn(bytes(server.received), (b"", data))


class StreamRules(StreamTest):
    """Redact and block mode: nothing of a match leaves in a stream either."""

    TEXT = published(b'{"imei":"' + IMEI.encode() + b'"}')

    def send(self, proxy, data, name=WATCHED, address="127.66.0.1"):
        """A stream in which something is said before and after; what of it arrived."""
        server = self.peer(broker, address=address)
        wire = self.through(proxy, server, name)
        wire.send(HELLO)
        self.assertEqual(wire.exactly(len(WELCOME)), WELCOME)
        try:
            for start in range(0, len(data), 9):
                wire.send(data[start:start + 9])
            wire.send(b"\x00" * 8)
            passed = wire.exactly(len(data) + 8)[:len(data)]
        except (OSError, Truncated):
            passed = None
        wire.close()
        self.assertTrue(server.ended.acquire(timeout=8), "the server's side stays open")
        return passed, bytes(server.received), self.flow_at(proxy, server, ended=True)

    def test_block(self):
        """In block mode a stream with an identifier is closed, and no part of the identifier arrives."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCKING)
        passed, arrived, flow = self.send(proxy, self.TEXT)
        self.assertIsNone(passed)
        self.assertTrue(arrived.startswith(HELLO))
        self.assertNotIn(IMEI[:4].encode(), arrived)
        self.assertEqual((flow["applied"], flow["rule"], flow["protocol"]), ("block", "identifiers-to-watched-regions", "stream"))
        self.assertEqual(self.send(proxy, self.TEXT, OUTSIDE, "127.0.0.1")[0], self.TEXT)
        self.assertEqual(self.send(proxy, published(b"clean"))[0], published(b"clean"))

    def test_redact(self):
        """In redact mode an identifier in a stream, which cannot be replaced soundly, falls to `otherwise`."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        passed, arrived, flow = self.send(proxy, self.TEXT)
        self.assertIsNone(passed)
        self.assertEqual(spellings_in(arrived), [])
        self.assertEqual(flow["applied"], "block")
        lenient = self.proxy(mode="redact", hosts=HOSTS, rules=RULES_REDACT.replace("otherwise: block", "otherwise: allow"))
        passed, arrived, flow = self.send(lenient, self.TEXT)
        self.assertEqual(len(passed or b""), len(self.TEXT))

    def test_answers(self):
        """A rule for responses stops an identifier in what the server says."""
        rules = RULES_BLOCKING.replace("direction: request", "direction: response")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        server = self.peer(lambda wire: (wire.send(b"\x01before" + self.TEXT + bytes(2_000)), wire.to_end()), address="127.66.0.1")
        wire = self.through(proxy, server, WATCHED)
        try:
            wire.to_end()
        except OSError:
            pass
        self.assertNotIn(IMEI[:4].encode(), wire.log)
        self.assertEqual(self.flow_at(proxy, server, ended=True)["applied"], "block")

    def test_by_protocol(self):
        """A rule on the protocol refuses streams, and only those."""
        rules = "version: 1\nrules:\n  - id: only-http\n    when: { region: [watched], protocol: [stream] }\n    then: block\n"
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        server = self.peer(quiet, address="127.66.0.1")
        wire = self.through(proxy, server, WATCHED)
        try:
            wire.send(HELLO)
            self.assertEqual(wire.to_end(), b"")
        except OSError:
            pass
        self.assertEqual(server.received, b"")
        page = self.tls_origin(WATCHED, address="127.66.0.1")
        self.assertEqual(proxy.fetch(WATCHED, page.port, "/").status, 200)


class WithoutTLS(StreamTest):
    """After CONNECT without TLS."""

    def connected(self, proxy, name, server):
        answer, wire = proxy.connect(f"{name}:{server.port}")
        self.addCleanup(wire.close)
        self.assertEqual(answer.status, 200)
        wire.sock.settimeout(8)
        return wire

    def test_plain_http(self):
        """Plain HTTP after a CONNECT is handled as HTTP: recorded, found in, redacted, and blocked."""
        for mode, rules in (("record", RULES_REDACT), ("redact", RULES_REDACT), ("block", RULES_BLOCKING)):
            with self.subTest(mode=mode):
                proxy = self.proxy(mode=mode, hosts=HOSTS, rules=rules)
                server = self.origin(address="127.66.0.1")
                wire = self.connected(proxy, WATCHED, server)
                host = f"{WATCHED}:{server.port}"
                self.assertEqual(wire.request("GET", "/plain", host).status, 200)
                body = b'{"imei":"' + IMEI.encode() + b'"}'
                answer = wire.request("POST", "/echo?plain", host, body, [("Content-Type", "application/json")])
                self.assertEqual(answer.status, 451 if mode == "block" else 200)
                flow = proxy.flow_of("/echo?plain")
                self.assertEqual((flow["protocol"], flow["url"].split(":")[0]), ("http/1.1", "http"))
                self.assertIn("imei", {row["kind"] for row in proxy.findings() if row["flow"] == flow["flow"]})
                if mode == "record":
                    self.assertEqual(answer.body, body)
                else:
                    self.assertEqual(spellings_in(bytes(server.received)), [])
                if mode == "redact":
                    self.assertEqual(len(answer.body), len(body))

    def test_plain_http_stays_there(self):
        """Plain HTTP after a CONNECT goes where the CONNECT said, whatever Host or an absolute URL say."""
        proxy = self.proxy(hosts={**HOSTS, NAME: "127.0.0.1"})
        server, other = self.origin(), self.origin()
        for target, host in (("/one", f"{OUTSIDE}:{other.port}"), (f"http://{OUTSIDE}:{other.port}/two", f"{OUTSIDE}:{other.port}")):
            with self.subTest(target):
                wire = self.connected(proxy, NAME, server)
                wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                self.assertIn(wire.response().status, (400, 421))
        self.assertEqual((other.accepted, server.received), (0, b""))

    def test_bytes_in_record(self):
        """TLS-58: Bytes that are neither TLS nor HTTP are relayed both ways in record mode, whoever speaks first."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        server = self.peer(broker, tls=False)
        wire = self.connected(proxy, NAME, server)
        wire.send(HELLO)
        self.assertEqual(wire.exactly(len(WELCOME)), WELCOME)
        self.assertEqual(self.flow_at(proxy, server)["protocol"], "tcp")
        server = self.peer(mail, tls=False)
        wire = self.connected(proxy, NAME, server)
        self.assertEqual(wire.until(b"\r\n", "a banner"), b"220 mail.example ESMTP")
        wire.send(b"QUIT\r\n")
        self.assertEqual(wire.until(b"\r\n", "an answer"), b"250 QUIT")

    def test_bytes_to_a_named_region(self):
        """In redact and block mode they are refused towards a region that a rule names, and relayed to others."""
        for mode, rules in (("redact", RULES_REDACT), ("block", RULES_BLOCKING)):
            with self.subTest(mode=mode):
                proxy = self.proxy(mode=mode, hosts=HOSTS, rules=rules)
                server = self.peer(quiet, tls=False, address="127.66.0.1")
                answer, wire = proxy.connect(f"{WATCHED}:{server.port}")
                with wire:
                    try:
                        wire.send(HELLO)
                        self.assertEqual(wire.to_end(), b"")
                    except ConnectionError:
                        pass
                self.assertEqual(server.received, b"")
                flow = self.flow_at(proxy, server, ended=True)
                self.assertEqual((flow["treatment"], flow["applied"]), ("refused", "block"))
                server = self.peer(broker, tls=False)
                wire = self.connected(proxy, OUTSIDE, server)
                wire.send(HELLO)
                self.assertEqual(wire.exactly(len(WELCOME)), WELCOME)


class AlternativeServices(StreamTest):
    def test_left_out(self):
        """Alt-Svc, which would lead a device around the proxy, is left out in every mode and counted in the case."""
        for mode in ("observe", "record", "redact"):
            with self.subTest(mode=mode):
                proxy = self.proxy(mode=mode, hosts={NAME: "127.0.0.1"})
                server = self.tls_origin(NAME, handler=lambda exchange: exchange.reply(
                    fields=[("Alt-Svc", 'h3=":443"; ma=86400'), ("alt-svc", "clear"), ("X-Kept", "yes")]))
                for _ in range(3):
                    answer = proxy.fetch(NAME, server.port, "/alternative")
                    self.assertEqual((answer.all("Alt-Svc"), answer.get("X-Kept")), ([], "yes"))
                # the tests' root is no public one, which is counted too
                rows = eventually(
                    lambda: [row for row in self.coverage(proxy) or [] if row["kind"] != "private-root"])
                self.assertTrue(rows)
                self.assertEqual({row["kind"] for row in rows}, {"alternative-service"})
