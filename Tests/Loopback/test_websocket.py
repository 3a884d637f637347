"""WebSockets pass frame by frame, whatever they carry, and the case keeps their messages."""

import base64
import json
import threading

import pki
from harness import Proxy, eventually
from identifiers import IMEI
from origins import pattern
from sockets import (
    BINARY, CLOSE, COMPRESSED, CONTINUATION, DEFLATE, PING, PONG, TEXT, Deflate, EchoServer, Frame, RawSocket, WebSocketTest,
    accepted, collecting, frame_bytes, opened, speaking)

NAME = "origin.example"


class Messages(WebSocketTest):
    """In record mode nothing is changed."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.leaf = pki.shared().leaf(NAME)
        cls.echo = cls.enterClassContext(EchoServer(cls.leaf))

    def sink(self, fields=()):
        """A server that keeps the frames."""
        frames = []
        return self.origin(collecting(frames, fields), leaf=self.leaf), frames

    def test_echo(self):
        """Text and binary messages go to the server and come back."""
        client = self.library(self.shared, self.echo, compression=None)
        for message in ("text", "日本語 🐙", "", b"\x00\xff binary", b""):
            with self.subTest(message):
                client.send(message)
                self.assertEqual(client.recv(10), message)

    def test_plain_echo(self):
        """ws:// is a WebSocket too, in a CONNECT without TLS as browsers send it, and in absolute-form."""
        server = self.enterContext(EchoServer())
        client = self.library(self.shared, server, "/plain-connect", scheme="ws")
        client.send("through CONNECT")
        self.assertEqual(client.recv(10), "through CONNECT")
        with self.shared.dial() as wire:
            host = f"{NAME}:{server.port}"
            socket = opened(wire, f"http://{host}/plain-absolute", host)
            self.assertIsInstance(socket, RawSocket)
            socket.send(TEXT, b"in absolute-form")
            self.assertEqual(socket.frame(), Frame(TEXT, b"in absolute-form"))
        for word in ("/plain-connect", "/plain-absolute"):
            self.assertEqual(self.shared.flow_of(word, ended=False)["protocol"], "websocket")

    def test_fragmentation(self):
        """Frames arrive in the pieces and with the flags they were sent with, control frames in between too."""
        sent = [(TEXT, b"one ", False), (CONTINUATION, b"", False), (PING, b"between", True), (CONTINUATION, b"two", True),
                (BINARY, b"\x00" * 126, True), (BINARY, pattern(70_000), False), (CONTINUATION, b"", True), (TEXT, b"", True)]
        got = []

        def script(socket):
            got.extend(socket.frames(len(sent)))
            for opcode, payload, final in sent:
                socket.send(opcode, payload, final)
            socket.frame()

        server = self.origin(speaking(script), leaf=self.leaf)
        client = self.raw(self.shared, server)
        for opcode, payload, final in sent:
            client.send(opcode, payload, final)
        back = client.frames(len(sent))
        self.assertEqual([(frame.opcode, frame.payload, frame.is_final) for frame in got], sent)
        self.assertEqual([(frame.opcode, frame.payload, frame.is_final) for frame in back], sent)
        self.assertTrue(all(frame.is_masked for frame in got), "to a server every frame is masked")
        self.assertFalse(any(frame.is_masked for frame in back), "to a client none is")

    def test_single_bytes(self):
        """Frames that come in TLS records of one byte arrive."""
        server, frames = self.sink()
        client = self.raw(self.shared, server)
        for data in (client.bytes_of(TEXT, b"slowly"), client.bytes_of(BINARY, b"x" * 130)):
            for byte in data:
                client.wire.send(bytes([byte]))
        self.assertTrue(eventually(lambda: len(frames) == 2))
        self.assertEqual([(frame.opcode, frame.payload) for frame in frames], [(TEXT, b"slowly"), (BINARY, b"x" * 130)])

    def test_many_in_one_record(self):
        """A thousand messages in one write arrive in their order."""
        server, frames = self.sink()
        client = self.raw(self.shared, server)
        client.wire.send(b"".join(client.bytes_of(TEXT, str(number).encode()) for number in range(1000)))
        self.assertTrue(eventually(lambda: len(frames) == 1000))
        self.assertEqual([int(frame.payload) for frame in frames], list(range(1000)))

    def test_first_bytes_of_a_frame(self):
        """The first bytes of a large frame arrive before its last are sent."""
        arrived, go = threading.Event(), threading.Event()

        def script(socket):
            socket.wire.exactly(200_000)
            arrived.set()
            go.wait(10)
            socket.wire.send(frame_bytes(BINARY, bytes(300_000))[:150_000])

        server = self.origin(speaking(script), leaf=self.leaf)
        self.addCleanup(go.set)
        client = self.raw(self.shared, server)
        client.wire.send(client.bytes_of(BINARY, bytes(1 << 20))[:300_000])
        self.assertTrue(arrived.wait(8), "the frame is held until it is complete")
        go.set()
        client.wire.exactly(70_000)

    def test_large_messages(self):
        """Messages of 1 MiB and 16 MiB arrive byte for byte, compressed and not."""
        for compression in (None, "deflate"):
            client = self.library(self.shared, self.echo, compression=compression, close_timeout=5)
            for size in (1 << 20, 16 << 20):
                with self.subTest(compression=compression, size=size):
                    client.send(pattern(size))
                    self.assertTrue(client.recv(30) == pattern(size))

    def test_large_message_in_bounded_memory(self):
        """A message of 48 MiB passes in bounded memory."""
        size = 48 << 20
        proxy = self.proxy(mode="observe", hosts={NAME: "127.0.0.1"})
        got = []

        def script(socket):
            socket.wire.exactly(14)
            left = size
            while left:
                left -= len(socket.wire.exactly(min(left, 1 << 20)))
                socket.wire.log.clear()
            got.append(size)
            socket.send(TEXT, b"got it")

        server = self.origin(speaking(script), leaf=self.leaf)
        client = self.raw(proxy, server)
        before = proxy.resident_bytes()
        client.wire.send(frame_bytes(BINARY, b"", mask=b"\x00\x00\x00\x00", length=size))
        piece, peak = bytes(1 << 20), before
        for _ in range(48):
            client.wire.send(piece)
            peak = max(peak, proxy.resident_bytes())
        self.assertEqual(client.frame().payload, b"got it")
        self.assertLess(peak - before, 24 << 20)

    def test_ping_and_pong(self):
        """Pings and pongs pass both ways, unsolicited pongs too; the proxy answers none itself."""
        got = []

        def script(socket):
            got.extend(socket.frames(2))
            socket.send(PONG, b"to the first")
            socket.send(PING, b"from the server")
            got.append(socket.frame())

        server = self.origin(speaking(script), leaf=self.leaf)
        client = self.raw(self.shared, server)
        client.send(PING, b"from the client")
        client.send(PONG, b"unsolicited")
        self.assertEqual(client.frames(2), [Frame(PONG, b"to the first"), Frame(PING, b"from the server")])
        client.send(PONG, b"from the server")
        self.assertTrue(eventually(lambda: len(got) == 3))
        self.assertEqual([(frame.opcode, frame.payload) for frame in got],
                         [(PING, b"from the client"), (PONG, b"unsolicited"), (PONG, b"from the server")])

    def test_close_codes(self):
        """Close codes and reasons pass both ways, and so does a close without a code."""
        for code, reason in ((1000, "bye"), (1001, ""), (1011, "é" * 61), (3000, "registered"), (4999, "own"), (None, "")):
            with self.subTest(code=code):
                server, frames = self.sink()
                client = self.raw(self.shared, server)
                client.close(code, reason)
                back = client.frame()
                self.assertEqual((back.opcode, back.code, back.payload[2:].decode()), (CLOSE, code, reason))
                self.assertEqual((frames[-1].code, frames[-1].payload[2:].decode()), (code, reason))

    def test_close_by_the_server(self):
        """A close that the server begins reaches the client, its answer the server, and then the connection ends."""
        got = []

        def script(socket):
            socket.close(4001, "from the server")
            got.append(socket.frame())

        server = self.origin(speaking(script), leaf=self.leaf)
        client = self.raw(self.shared, server, "/server-closes")
        frame = client.frame()
        self.assertEqual((frame.code, frame.payload[2:]), (4001, b"from the server"))
        client.close(4001, "answer")
        self.assertIsNone(client.frame())
        self.assertEqual((got[0].code, got[0].payload[2:]), (4001, b"answer"))
        flow = self.shared.flow_of("/server-closes")
        self.assertEqual((flow["status"], flow["protocol"], flow["error"]), (101, "websocket", None))

    def test_aborts(self):
        """An end without a close frame, on either side, is an end without a close frame on the other."""
        for end in ("FIN", "RST"):
            with self.subTest(end):
                server, frames = self.sink()
                client = self.raw(self.shared, server)
                client.send(TEXT, b"here")
                self.assertTrue(eventually(lambda: frames))
                if end == "FIN":
                    client.wire.close()
                else:
                    client.wire.abort()
                self.assertTrue(eventually(lambda: not server.open, 3), "the server is not told")
                self.assertEqual([frame.opcode for frame in frames], [TEXT])

        server = self.origin(speaking(lambda socket: socket.send(TEXT, b"last words")), leaf=self.leaf)
        client = self.raw(self.shared, server)
        self.assertEqual(client.frames(), [Frame(TEXT, b"last words")])

    def test_message_behind_the_handshake(self):
        """A message that the server sends in one piece with its 101 arrives."""
        def handler(exchange):
            accepted(exchange, behind=frame_bytes(TEXT, b"at once")).frame()
            return False

        server = self.origin(handler, leaf=self.leaf)
        self.assertEqual(self.raw(self.shared, server).frame(), Frame(TEXT, b"at once"))

    def test_subprotocol(self):
        """Subprotocol, origin, cookies and other fields of the handshake pass as they were sent."""
        seen = []

        def handler(exchange):
            seen.append(exchange.request)
            accepted(exchange, [("Sec-WebSocket-Protocol", "chat.v2"), ("Set-Cookie", "a=b")]).frame()
            return False

        server = self.origin(handler, leaf=self.leaf)
        client = self.raw(self.shared, server, "/chat?room=1", [
            ("Sec-WebSocket-Protocol", "chat.v1, chat.v2"), ("Origin", "https://page.example"), ("Cookie", "s=1")])
        self.assertEqual((client.answer.get("Sec-WebSocket-Protocol"), client.answer.get("Set-Cookie")), ("chat.v2", "a=b"))
        self.assertEqual([seen[0].get(name) for name in ("Sec-WebSocket-Protocol", "Origin", "Cookie", "Upgrade", "Connection")],
                         ["chat.v1, chat.v2", "https://page.example", "s=1", "websocket", "Upgrade"])

    # Compression.

    def test_compression(self):
        """permessage-deflate is agreed on end to end, and compressed frames arrive as they were sent."""
        client = self.library(self.shared, self.echo)
        self.assertEqual([extension.name for extension in client.protocol.extensions], ["permessage-deflate"])
        for number in range(20):
            client.send(f'{{"number":{number},"text":"again and again"}}')
            self.assertEqual(json.loads(client.recv(10))["number"], number)
        self.assertIn(["permessage-deflate"], self.echo.extensions)

        server, frames = self.sink([DEFLATE])
        client = self.raw(self.shared, server, fields=[DEFLATE])
        self.assertIn("permessage-deflate", client.answer.get("Sec-WebSocket-Extensions", ""))
        deflate = Deflate()
        payloads = [deflate.deflated(b"the same text " * 9) for _ in range(3)]
        for payload in payloads:
            client.send(TEXT, payload[:3], final=False, reserved=COMPRESSED)
            client.send(CONTINUATION, payload[3:])
        self.assertTrue(eventually(lambda: len(frames) == 6))
        self.assertEqual([frame.payload for frame in frames], [part for payload in payloads for part in (payload[:3], payload[3:])])
        self.assertEqual([frame.reserved for frame in frames], [COMPRESSED, 0] * 3)

    def test_findings(self):
        """An identifier is found in messages of both directions, in fragments and in compressed ones too."""
        for compression in (None, "deflate"):
            with self.subTest(compression=compression):
                word = f"/found-{compression}"
                client = self.library(self.shared, self.echo, word, compression=compression)
                client.send("nothing here")
                client.send(['{"imei":"490154', '203237518"}'])
                self.assertEqual((client.recv(10), client.recv(10)), ("nothing here", f'{{"imei":"{IMEI}"}}'))
                # the socket is still open: nobody waits for its end
                flow = self.shared.flow_of(word, ended=False)
                rows = self.found(self.shared, flow, 2)
                self.assertEqual({(row["kind"], row["location"], row["direction"], row["certainty"]) for row in rows},
                                 {("imei", "websocket", "request", "certain"), ("imei", "websocket", "response", "certain")})

    def test_inflation_bomb(self):
        """A message that inflates to a thousand times its size passes in record mode, and the proxy does not grow by it."""
        server, frames = self.sink([DEFLATE])
        client = self.raw(self.shared, server, fields=[DEFLATE])
        payload = Deflate().deflated(bytes(64 << 20))
        before = self.shared.resident_bytes()
        client.send(BINARY, payload, reserved=COMPRESSED)
        client.send(TEXT, Deflate().deflated(b"after"), reserved=COMPRESSED)
        self.assertTrue(eventually(lambda: len(frames) == 2))
        self.assertTrue(frames[0].payload == payload)
        self.assertLess(self.shared.resident_bytes() - before, 48 << 20)

    # The record.

    def test_record(self):
        """The case has each message with its kind, size, frames and text; show and HAR have them too."""
        client = self.library(self.shared, self.echo, "/recorded", compression="deflate")
        client.send(["first ", "message"])
        client.recv(10)
        client.send(b"\x00\x01binary")
        client.recv(10)
        client.close(4002, "done")
        flow = self.shared.flow_of("/recorded")
        self.assertEqual((flow["protocol"], flow["status"], flow["method"]), ("websocket", 101, "GET"))
        messages = [event for event in self.events(self.shared, "message") if event["flow"] == flow["flow"]]
        self.assertEqual(
            [(event["direction"], event["kind"], event["size"]) for event in messages if event["direction"] == "request"],
            [("request", "text", 13), ("request", "binary", 8), ("request", "close", 6)])
        self.assertEqual([event["kind"] for event in messages if event["direction"] == "response"], ["text", "binary", "close"])
        self.assertEqual((messages[0]["frames"], messages[0]["compressed"]), (3, True))  # the library's last one is empty
        self.assertIn("first message", self.shared.run("show", flow["flow"], "--case", "case").out)

        self.shared.run("evidence", "export", "case", "--har", "-o", "sockets.har")
        entries = json.loads((self.shared.path / "sockets.har").read_text())["log"]["entries"]
        entry = [entry for entry in entries if entry["request"]["url"].endswith("/recorded")][0]
        rows = [(row["type"], row["opcode"], row["data"]) for row in entry["_webSocketMessages"] if row["opcode"] in (TEXT, BINARY)]
        binary = base64.b64encode(b"\x00\x01binary").decode()
        self.assertEqual(sorted(rows), sorted([(way, TEXT, "first message") for way in ("send", "receive")]
                                              + [(way, BINARY, binary) for way in ("send", "receive")]))
        self.assertEqual(entry["response"]["status"], 101)

    def test_verifies(self):
        """A case with WebSockets, one of them cut by the end of the proxy, is INTACT."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        client = self.library(proxy, self.echo, "/whole")
        client.send("a message")
        client.recv(10)
        client.close()
        half = self.raw(proxy, self.echo, "/half")
        half.send(TEXT, b"unfinished", final=False)
        proxy.flow_of("/half", ended=False)
        proxy.stop()
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)
        self.assertEqual([flow["url"] for flow in proxy.flows() if not flow["ended"]], [])
