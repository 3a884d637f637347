"""What is not a WebSocket's handshake opens none, and a frame that breaks the protocol ends one."""

import json
import os
import threading

import pki
from harness import Proxy, eventually
from sockets import (
    CLOSE, COMPRESSED, CONTINUATION, PING, TEXT, Frame, RawSocket, WebSocketTest, collecting, frame_bytes, opened, speaking,
    upgrade_fields)
from wire import Truncated

NAME = "origin.example"


class Handshakes(WebSocketTest):
    """An upgrade is passed on, and believed, only if it is a WebSocket's."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.leaf = pki.shared().leaf(NAME)

    def test_refused(self):
        """A server that answers the handshake with 403, or 200, is heard, and the connection goes on."""
        def handler(exchange):
            status = 403 if exchange.request.target == "/forbidden" else 200
            exchange.reply(status, b"no sockets", reason="Answer")

        server = self.origin(handler, leaf=self.leaf)
        wire, host = self.tunnelled(self.shared, server)
        for target, status in (("/forbidden", 403), ("/page", 200), ("/forbidden", 403)):
            answer = opened(wire, target, host)
            self.assertEqual((answer.status, answer.body), (status, b"no sockets"))
        self.assertEqual(server.accepted, 1)

    def test_false_acceptance(self):
        """A 101 without the right Sec-WebSocket-Accept, or without Upgrade, opens nothing."""
        good = ["Upgrade: websocket", "Connection: Upgrade"]
        for name, lines in {
            "wrong accept": [*good, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
            "no accept": good,
            "other protocol": ["Upgrade: tls/1.0", "Connection: Upgrade"],
        }.items():
            with self.subTest(name):
                arrived = []

                def handler(exchange):
                    exchange.send("\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines]).encode() + b"\r\n\r\n"
                                  + frame_bytes(TEXT, b"from the server"))
                    arrived.append(exchange.wire.to_end())
                    return False

                server = self.origin(handler, leaf=self.leaf)
                wire, host = self.tunnelled(self.shared, server)
                answer = wire.request("GET", "/false", host, fields=upgrade_fields())
                self.assertEqual(answer.status, 502)
                self.assertNotIn(b"from the server", answer.body)
                self.assertTrue(eventually(lambda: arrived))
                self.assertEqual(arrived, [b""])

    def test_unasked(self):
        """A 101 that nobody asked for is 502."""
        server = self.origin(lambda exchange: exchange.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), leaf=self.leaf)
        wire, host = self.tunnelled(self.shared, server)
        self.assertEqual(wire.request("GET", "/unasked", host).status, 502)

    def test_other_upgrades(self):
        """An upgrade to something else is not passed on: the request goes without it, and the case counts it."""
        server = self.tls_origin(NAME)
        for protocol in ("h2c", "TLS/1.0", "IRC/6.9", "websocket2"):
            with self.subTest(protocol):
                wire, host = self.tunnelled(self.shared, server)
                answer = wire.request("GET", f"/upgrade?{protocol}", host, fields=[
                    ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", protocol), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")])
                self.assertEqual(answer.status, 200)
                self.assertEqual(wire.request("GET", "/next", host).status, 200)
        for request in server.requests:
            for field in ("Upgrade", "HTTP2-Settings"):
                self.assertIsNone(request.get(field))
        self.assertTrue(eventually(lambda: "upgrade-dropped" in json.dumps(self.events(self.shared, "coverage"))))

    def test_half_a_handshake(self):
        """A request that is not quite a WebSocket's handshake never turns into one."""
        server = self.origin(speaking(lambda socket: None), leaf=self.leaf)
        whole = dict(upgrade_fields())
        for name, change in {"version 8": {"Sec-WebSocket-Version": "8"}, "no version": {"Sec-WebSocket-Version": None},
                             "short key": {"Sec-WebSocket-Key": "AAAA"}, "no connection": {"Connection": "keep-alive"}}.items():
            with self.subTest(name):
                fields = [(key, value) for key, value in {**whole, **change}.items() if value]
                wire, host = self.tunnelled(self.shared, server)
                self.assertIn(wire.request("GET", "/half", host, fields=fields).status, (400, 426, 502))
        wire, host = self.tunnelled(self.shared, server)
        self.assertIn(wire.request("POST", "/half", host, b"body", upgrade_fields()).status, (400, 502))

    def test_unknown_extension(self):
        """An extension that the proxy cannot read is not agreed on unseen: it is left out, or the case says so."""
        server = self.origin(speaking(lambda socket: socket.frame(), [("Sec-WebSocket-Extensions", "x-secret")]), leaf=self.leaf)
        wire, host = self.tunnelled(self.shared, server)
        socket = opened(wire, "/extension", host, [("Sec-WebSocket-Extensions", "x-secret")])
        if isinstance(socket, RawSocket):
            self.assertTrue(eventually(lambda: "unknown-extension" in json.dumps(self.events(self.shared, "coverage"))))
        else:
            self.assertEqual(socket.status, 502)
            self.assertIsNone(server.requests[0].get("Sec-WebSocket-Extensions"))


class Strictness(WebSocketTest):
    """A frame that breaks the protocol ends the WebSocket on both sides, and does not reach the other."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.leaf = pki.shared().leaf(NAME)

    MASK = b"\x01\x02\x03\x04"

    def malformed(self, mask):
        """Frames that no peer may send, masked or not; with the code that they are closed with."""
        def frame(*arguments, **options):
            return frame_bytes(*arguments, mask=mask, **options)

        masked = 0x80 if mask else 0
        return {
            "RSV2": (frame(TEXT, b"evil", reserved=2), 1002),
            "RSV3": (frame(TEXT, b"evil", reserved=1), 1002),
            "RSV1 without an extension": (frame(TEXT, b"evil", reserved=COMPRESSED), 1002),
            "opcode 3": (frame(3, b"evil"), 1002),
            "opcode 11": (frame(11, b"evil"), 1002),
            "wrong masking": (frame_bytes(TEXT, b"evil", mask=None if mask else self.MASK), 1002),
            "large ping": (frame(PING, b"evil" * 40), 1002),
            "fragmented ping": (frame(PING, b"evil", final=False), 1002),
            "continuation of nothing": (frame(CONTINUATION, b"evil"), 1002),
            "text inside a message": (frame(TEXT, b"open", final=False) + frame(TEXT, b"evil"), 1002),
            "length not minimal": (bytes([0x81, masked | 126, 0, 4]) + (mask or b"") + b"evil", 1002),
            "length with its top bit": (bytes([0x81, masked | 127, 0x80, 0, 0, 0, 0, 0, 0, 4]) + (mask or b"") + b"evil", 1002),
            "close of one byte": (frame(CLOSE, b"\x03"), 1002),
            "close with 1005": (frame(CLOSE, b"\x03\xedevil"), 1002),
            "close with 999": (frame(CLOSE, b"\x03\xe7evil"), 1002),
            "close with a reason not UTF-8": (frame(CLOSE, b"\x03\xe8\xff\xfe"), 1007),
            "text not UTF-8": (frame(TEXT, b"evil \xff\xfe"), 1007),
        }

    def test_bad_clients(self):
        """What a client may not send is answered with a close of its code, and the server gets none of it."""
        for name, (data, code) in self.malformed(self.MASK).items():
            with self.subTest(name):
                frames = []
                server = self.origin(collecting(frames), leaf=self.leaf)
                client = self.raw(self.shared, server)
                client.send(TEXT, b"good")
                self.assertTrue(eventually(lambda: frames))
                client.wire.send(data + client.bytes_of(TEXT, b"after it"))
                answers = client.frames()
                self.assertEqual([frame.code for frame in answers if frame.opcode == CLOSE], [code])
                self.assertTrue(eventually(lambda: not server.open), "the server's side stays open")
                self.assertEqual(frames[0].payload, b"good")
                for frame in frames[1:]:
                    self.assertIn(frame.payload, [b"open"] if frame.opcode == TEXT else [frame.payload])
                    self.assertNotIn(b"evil", frame.payload)

    def test_bad_servers(self):
        """What a server may not send is not passed on: the client gets a close of its code, the server an end."""
        for name, (data, code) in self.malformed(None).items():
            with self.subTest(name):
                ended = threading.Event()

                def script(socket):
                    socket.send(TEXT, b"good")
                    socket.wire.send(data + frame_bytes(TEXT, b"after it"))
                    socket.wire.to_end()
                    ended.set()

                server = self.origin(speaking(script), leaf=self.leaf)
                client = self.raw(self.shared, server)
                answers = client.frames()
                self.assertEqual(answers[0], Frame(TEXT, b"good"))
                self.assertEqual([frame.code for frame in answers if frame.opcode == CLOSE], [code])
                self.assertFalse([frame for frame in answers if b"evil" in frame.payload or b"after it" in frame.payload])
                self.assertTrue(ended.wait(8), "the server's side stays open")

    def test_after_a_close(self):
        """Nothing is relayed after a close frame."""
        frames = []
        server = self.origin(collecting(frames), leaf=self.leaf)
        client = self.raw(self.shared, server)
        client.wire.send(client.bytes_of(CLOSE, b"\x03\xe8") + client.bytes_of(TEXT, b"too late"))
        client.frames()
        self.assertTrue(eventually(lambda: not server.open))
        self.assertEqual([frame.opcode for frame in frames], [CLOSE])
        self.assertNotIn(b"too late", server.received)

    def test_random_bytes(self):
        """Random bytes in an open WebSocket end it, and the proxy stands."""
        server = self.origin(collecting([]), leaf=self.leaf)
        for _ in range(30):
            client = self.raw(self.shared, server)
            try:
                client.wire.send(os.urandom(2000))
                client.close(1000)
                client.wire.sock.settimeout(0.2)  # a length that was hit by chance may wait for more
                client.frames()
            except (OSError, Truncated):
                pass
            client.wire.close()
