"""Rules on WebSockets: an identifier in a message is replaced, or ends the WebSocket before it leaves."""

import json
import threading

from websockets.exceptions import ConnectionClosed

import pki
from harness import RULES_BLOCK, RULES_REDACT, Proxy, eventually
from identifiers import HOSTS, IMEI, OUTSIDE, OWN, WATCHED, luhn, spellings_in
from sockets import (
    BINARY, CLOSE, COMPRESSED, CONTINUATION, DEFLATE, PING, TEXT, Deflate, EchoServer, Frame, RawSocket, WebSocketTest, collecting,
    opened, speaking)

RULES_ANSWERS = """\
version: 1
rules:
  - id: nothing-from-there
    when: { region: [watched], direction: response, finding: [imei] }
    then: redact
    otherwise: block
"""
MESSAGE = f'{{"imei":"{IMEI}","tel":"{OWN}"}}'


class Redacting(WebSocketTest):
    """In redact mode the watched server gets each message, and no identifier in it."""

    @classmethod
    def setUpClass(cls):
        cls.leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        cls.shared = cls.enterClassContext(Proxy(mode="redact", hosts=HOSTS))
        cls.watched = cls.enterClassContext(EchoServer(cls.leaf, "127.66.0.1"))

    def collector(self, fields=()):
        frames = []
        return self.origin(collecting(frames, fields), leaf=self.leaf, address="127.66.0.1"), frames

    def assertPseudonym(self, message):
        self.assertEqual(spellings_in(message if isinstance(message, bytes) else message.encode()), [])
        found = json.loads(message)
        self.assertEqual(len(message), len(MESSAGE))
        self.assertRegex(found["imei"], r"^\d{15}$")
        self.assertTrue(luhn(found["imei"]))
        self.assertEqual(len(found["tel"]), len(OWN))

    def test_messages(self):
        """An identifier in a message is replaced at the same length, compressed or not, and the messages after it still parse."""
        for compression in (None, "deflate"):
            with self.subTest(compression=compression):
                client = self.library(self.shared, self.watched, f"/redact-{compression}", name=WATCHED, compression=compression)
                seen = []
                for message in ("before", MESSAGE, "between " * 30, MESSAGE, MESSAGE.encode(), "after"):
                    client.send(message)
                    seen.append((message, client.recv(10)))
                for message, answer in seen:
                    if "imei" in str(message):
                        self.assertPseudonym(answer)
                    else:
                        self.assertEqual(answer, message)
                self.assertEqual(seen[1][1], seen[3][1], "a value has one pseudonym")
                for message in self.watched.messages:
                    self.assertEqual(spellings_in(message if isinstance(message, bytes) else message.encode()), [])

    def test_fragments(self):
        """An identifier that is cut by frames, with a ping in between, arrives in no frame."""
        server, frames = self.collector()
        client = self.raw(self.shared, server, name=WATCHED)
        data = MESSAGE.encode()
        cut = data.index(IMEI.encode()) + 7
        client.send(TEXT, data[:cut], final=False)
        client.send(PING, b"between")
        client.send(CONTINUATION, data[cut:])
        client.send(TEXT, b"after")
        self.assertTrue(eventually(lambda: frames and frames[-1].payload == b"after"), frames)
        message = b"".join(frame.payload for frame in frames if frame.opcode in (TEXT, CONTINUATION))[:-len("after")]
        self.assertPseudonym(message.decode())
        self.assertIn((PING, b"between"), [(frame.opcode, frame.payload) for frame in frames])
        self.assertEqual(spellings_in(bytes(server.received)), [])

    def test_one_message_is_held_at_most(self):
        """Each message goes on when it is complete, without waiting for the next."""
        client = self.library(self.shared, self.watched, name=WATCHED)
        for number in range(10):
            client.send(f"message {number}")
            self.assertEqual(client.recv(8), f"message {number}")

    def test_compressed_frames(self):
        """Compressed frames around a redacted one inflate at a server that keeps its window."""
        server, frames = self.collector([DEFLATE])
        client = self.raw(self.shared, server, name=WATCHED, fields=[DEFLATE])
        deflate = Deflate()
        texts = ["one and the same text", MESSAGE, "one and the same text", MESSAGE, "the end"]
        for text in texts:
            client.send(TEXT, deflate.deflated(text.encode()), reserved=COMPRESSED)
        self.assertTrue(eventually(lambda: len(frames) == 5), frames)
        inflate = Deflate()
        got = [inflate.inflated(frame.payload).decode() if frame.reserved == COMPRESSED else frame.payload.decode()
               for frame in frames]
        self.assertEqual([got[0], got[2], got[4]], [texts[0], texts[2], texts[4]])
        self.assertPseudonym(got[1])
        self.assertPseudonym(got[3])

    def test_parameters_of_compression(self):
        """What is compressed anew keeps to the window and the resets that the two sides agreed on."""
        for parameters, bits, resets in (("client_max_window_bits=9", 9, False), ("client_no_context_takeover", 15, True),
                                         ("client_max_window_bits=10; client_no_context_takeover; server_no_context_takeover", 10, True)):
            with self.subTest(parameters):
                agreed = ("Sec-WebSocket-Extensions", "permessage-deflate; " + parameters)
                server, frames = self.collector([agreed])
                offered = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits; " + parameters)
                client = self.raw(self.shared, server, name=WATCHED, fields=[offered])
                self.assertEqual(client.answer.get("Sec-WebSocket-Extensions"), agreed[1])
                noise = "".join(f"{number * 7919 % 100_003:x} " for number in range(2_000))  # longer than a small window
                texts = [noise, MESSAGE, noise + "again", "", MESSAGE, noise]
                deflate = Deflate(bits)
                for text in texts:
                    client.send(TEXT, deflate.deflated(text.encode()), reserved=COMPRESSED)
                    deflate = Deflate(bits) if resets else deflate
                self.assertTrue(eventually(lambda: len(frames) == len(texts)), len(frames))
                inflate = Deflate(bits)
                for text, frame in zip(texts, frames):
                    got = (inflate.inflated(frame.payload) if frame.reserved else frame.payload).decode()
                    inflate = Deflate(bits) if resets else inflate
                    if text == MESSAGE:
                        self.assertPseudonym(got)
                    else:
                        self.assertEqual(got, text)

    def test_query_of_the_handshake(self):
        """An identifier in the handshake's URL and fields is replaced too."""
        server, frames = self.collector()
        client = self.raw(self.shared, server, f"/socket?imei={IMEI}", [("X-Device", IMEI)], WATCHED)
        client.send(TEXT, b"open")
        self.assertTrue(eventually(lambda: frames))
        self.assertEqual(spellings_in(bytes(server.received)), [])
        self.assertRegex(server.requests[0].target, r"^/socket\?imei=\d{15}$")

    def test_outside(self):
        """A server outside the region gets messages as they were sent, frame by frame."""
        frames = []
        server = self.origin(collecting(frames), leaf=self.leaf)
        client = self.raw(self.shared, server, name=OUTSIDE)
        client.send(TEXT, MESSAGE[:20].encode(), final=False)
        client.send(CONTINUATION, MESSAGE[20:].encode())
        self.assertTrue(eventually(lambda: len(frames) == 2))
        self.assertEqual([frame.payload.decode() for frame in frames], [MESSAGE[:20], MESSAGE[20:]])

    def test_answers(self):
        """A rule for responses replaces what the server says; one for requests leaves it alone."""
        server = self.origin(speaking(lambda socket: (socket.send(TEXT, MESSAGE.encode()), socket.frame())),
                             leaf=self.leaf, address="127.66.0.1")
        self.assertEqual(self.raw(self.shared, server, name=WATCHED).frame().payload.decode(), MESSAGE)
        proxy = self.proxy(mode="redact", hosts=HOSTS, rules=RULES_ANSWERS)
        frame = self.raw(proxy, server, name=WATCHED).frame()
        self.assertFalse(frame.is_masked)
        found = json.loads(frame.payload)
        self.assertNotEqual(found["imei"], IMEI)
        self.assertTrue(luhn(found["imei"]))
        self.assertEqual(len(frame.payload), len(MESSAGE))

    def test_over_the_hold_limit(self):
        """A message too large to be held falls to `otherwise: block`: it is closed with 1008 and its identifier does not arrive."""
        server, frames = self.collector()
        client = self.raw(self.shared, server, name=WATCHED)
        client.wire.send(client.bytes_of(TEXT, b"x" * (3 << 20) + MESSAGE.encode()))
        self.assertEqual([frame.code for frame in client.frames() if frame.opcode == CLOSE], [1008])
        self.assertTrue(eventually(lambda: not server.open))
        self.assertEqual(spellings_in(bytes(server.received)), [])

    def test_case_has_both(self):
        """The case keeps the message as it was and as it was sent on."""
        client = self.library(self.shared, self.watched, "/both", name=WATCHED)
        client.send(MESSAGE)
        answer = client.recv(10)
        client.close()
        flow = self.shared.flow_of("/both")
        self.assertEqual((flow["applied"], flow["rule"]), ("redact", "identifiers-to-watched-regions"))
        rows = [event for event in self.events(self.shared, "message")
                if (event["flow"], event["direction"], event["kind"]) == (flow["flow"], "request", "text")]
        self.assertEqual(sorted(row["stage"] for row in rows), ["original", "sent"])
        self.assertEqual(len({json.dumps(row.get("sha256")) for row in rows}), 2)
        self.assertNotIn(IMEI, answer)


class BlockingMessages(WebSocketTest):
    """In block mode a message with an identifier ends the WebSocket, and nothing of the match has left."""

    RULES = RULES_REDACT.replace("then: redact", "then: block")

    @classmethod
    def setUpClass(cls):
        cls.leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        cls.shared = cls.enterClassContext(Proxy(mode="block", hosts=HOSTS, rules=cls.RULES))

    def collector(self, fields=()):
        frames = []
        return self.origin(collecting(frames, fields), leaf=self.leaf, address="127.66.0.1"), frames

    def assertClosed(self, client, server, frames):
        """The client was closed with 1008, the server's side is over, and no part of the number arrived."""
        self.assertEqual([frame.code for frame in client.frames() if frame.opcode == CLOSE], [1008])
        self.assertTrue(eventually(lambda: not server.open), "the server's side stays open")
        arrived = b"".join(frame.payload for frame in frames if frame.opcode != CLOSE)
        self.assertEqual(spellings_in(arrived), [])
        self.assertNotIn(IMEI[:4].encode(), arrived)

    def test_message(self):
        """A message with an identifier closes with 1008; those before it arrived, its matching bytes did not."""
        server, frames = self.collector()
        client = self.raw(self.shared, server, "/blocked", name=WATCHED)
        client.send(TEXT, b"before")
        self.assertTrue(eventually(lambda: frames))
        client.send(TEXT, MESSAGE.encode())
        client.send(TEXT, b"after")
        self.assertClosed(client, server, frames)
        self.assertEqual(frames[0].payload, b"before")
        self.assertNotIn(b"after", b"".join(frame.payload for frame in frames))
        flow = self.shared.flow_of("/blocked")
        self.assertEqual((flow["applied"], flow["rule"], flow["protocol"]), ("block", "identifiers-to-watched-regions", "websocket"))

    def test_fragments(self):
        """An identifier cut by frames and TLS records leaves no part of itself."""
        for size in (1, 4, 11):
            with self.subTest(size):
                server, frames = self.collector()
                client = self.raw(self.shared, server, name=WATCHED)
                data = MESSAGE.encode()
                try:
                    for start in range(0, len(data), size):
                        client.send(CONTINUATION if start else TEXT, data[start:start + size], start + size >= len(data))
                except OSError:
                    pass  # closed before all was sent
                self.assertClosed(client, server, frames)

    def test_compressed(self):
        """A compressed message with an identifier does not arrive, not even as compressed bytes that would show it."""
        server, frames = self.collector([DEFLATE])
        client = self.raw(self.shared, server, name=WATCHED, fields=[DEFLATE])
        deflate, inflate = Deflate(), Deflate()
        client.send(TEXT, deflate.deflated(b"before"), reserved=COMPRESSED)
        self.assertTrue(eventually(lambda: frames))
        data = deflate.deflated(MESSAGE.encode())
        client.send(TEXT, data[:9], final=False, reserved=COMPRESSED)
        client.send(CONTINUATION, data[9:])
        self.assertEqual([frame.code for frame in client.frames() if frame.opcode == CLOSE], [1008])
        self.assertTrue(eventually(lambda: not server.open))
        data_frames = [frame for frame in frames if frame.opcode in (TEXT, CONTINUATION)]
        self.assertEqual(inflate.inflated(data_frames[0].payload), b"before")
        arrived = inflate.into.decompress(b"".join(frame.payload for frame in data_frames[1:]))
        self.assertNotIn(IMEI[:4].encode(), arrived)

    def test_answers(self):
        """A block of what the server says: the client gets 1008 and not the match."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_ANSWERS.replace("then: redact\n    otherwise: block", "then: block"))
        ended = threading.Event()

        def script(socket):
            socket.send(TEXT, b"before")
            socket.send(TEXT, MESSAGE.encode())
            socket.wire.to_end()
            ended.set()

        server = self.origin(speaking(script), leaf=self.leaf, address="127.66.0.1")
        client = self.raw(proxy, server, name=WATCHED)
        frames = client.frames()
        self.assertEqual(frames[0], Frame(TEXT, b"before"))
        self.assertEqual([frame.code for frame in frames if frame.opcode == CLOSE], [1008])
        self.assertNotIn(IMEI[:4].encode(), b"".join(frame.payload for frame in frames))
        self.assertTrue(ended.wait(8), "the server's side stays open")

    def test_library_sees_the_close(self):
        """A library's client is told 1008 and a reason, the server's library that it is over."""
        server = self.enterContext(EchoServer(self.leaf, "127.66.0.1"))
        client = self.library(self.shared, server, name=WATCHED)
        client.send("hello")
        self.assertEqual(client.recv(10), "hello")
        client.send(MESSAGE)
        with self.assertRaises(ConnectionClosed) as caught:
            client.recv(10)
        self.assertEqual(caught.exception.rcvd.code, 1008)
        self.assertIn("rule", caught.exception.rcvd.reason)
        self.assertTrue(eventually(lambda: server.closed), "the server's library is not told")
        self.assertEqual(server.messages, ["hello"])

    def test_large_messages(self):
        """Messages of 1 MiB without an identifier pass to the region, compressed or not."""
        for compression in (None, "deflate"):
            with self.subTest(compression=compression):
                server = self.enterContext(EchoServer(self.leaf, "127.66.0.1"))
                client = self.library(self.shared, server, name=WATCHED, compression=compression)
                # text that deflates to a tenth: a thousandth would be taken for a bomb
                text = "".join(f"line {number * 7919 % 100_003} of many\n" for number in range(60_000))[:1 << 20]
                for message in (text, "short", text.encode()):
                    client.send(message)
                    self.assertTrue(client.recv(20) == message)

    def test_outside(self):
        """Another region's WebSocket goes on with the same message."""
        server = self.enterContext(EchoServer(self.leaf))
        client = self.library(self.shared, server, name=OUTSIDE)
        client.send(MESSAGE)
        self.assertEqual(client.recv(10), MESSAGE)

    def test_by_region(self):
        """A WebSocket to a region that is blocked whole is answered 451 and dials nothing."""
        server, _ = self.collector()
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        wire, host = self.tunnelled(proxy, server, WATCHED)
        self.assertEqual(opened(wire, "/", host).status, 451)
        self.assertEqual(server.accepted, 0)

    def test_unknown_extension(self):
        """An extension that the proxy cannot read does not carry an identifier into the region unseen."""
        arrived = []

        def script(socket):
            while (frame := socket.frame()) is not None:
                arrived.append(frame.payload)

        server = self.origin(speaking(script, [("Sec-WebSocket-Extensions", "x-upside-down")]), leaf=self.leaf, address="127.66.0.1")
        wire, host = self.tunnelled(self.shared, server, WATCHED)
        socket = opened(wire, "/", host, [("Sec-WebSocket-Extensions", "x-upside-down")])
        if isinstance(socket, RawSocket):
            try:
                socket.send(BINARY, MESSAGE[::-1].encode(), reserved=COMPRESSED)
                socket.frames()
            except OSError:
                pass
        self.assertEqual(arrived, [])

    def test_observe(self):
        """In observe mode the same messages pass, and are counted as findings."""
        proxy = self.proxy(mode="observe", hosts=HOSTS, rules=self.RULES)
        server = self.enterContext(EchoServer(self.leaf, "127.66.0.1"))
        client = self.library(proxy, server, "/observed", name=WATCHED)
        client.send(MESSAGE)
        self.assertEqual(client.recv(10), MESSAGE)
        rows = self.found(proxy, proxy.flow_of("/observed", ended=False), 4)
        self.assertEqual({(row["decided"], row["applied"]) for row in rows if row["direction"] == "request"}, {("block", "log")})
