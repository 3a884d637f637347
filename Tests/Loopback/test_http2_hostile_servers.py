"""HTTP/2 servers that mean harm: an error for the device's stream, and everyone else is served."""

import http2
import http2_origin
import pki
from harness import LoopbackTest, Proxy, eventually
from http2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, frame, literal, settings, window_update
from origins import pattern

NAME = "origin.example"
GROWTH = 160 << 20  # as in test_http2_abuse.py


class HostileServer(LoopbackTest):
    """Servers that mean harm: the device gets an error on its stream, and everyone else is served."""

    weight = 2

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}, config={"timeouts": {"response": "4s"}}))
        cls.server = cls.enterClassContext(http2_origin.Origin(leaf=pki.shared().leaf(NAME)))

    def setUp(self):
        self.before = self.shared.resident_bytes()

    def tearDown(self):
        self.assertIsNone(self.shared.process.poll(), self.shared.said())
        with self.shared.http2(NAME, self.server.port) as bystander:
            self.assertEqual(bystander.fetch(f"{NAME}:{self.server.port}", "/bytes?100000").body, pattern(100_000))
        self.assertLess(self.shared.resident_bytes() - self.before, GROWTH)

    def play(self, handler, path="/", wait=15, **end):
        """The device's stream, over, of a request that `handler` answers; the server's connection; the device's."""
        server = self.enterContext(http2_origin.Origin(handler, leaf=pki.shared().leaf(NAME), **end))
        device = self.enterContext(self.shared.http2(NAME, server.port))
        stream = device.request(f"{NAME}:{server.port}", path)
        stream.wait(lambda: False, wait)
        self.assertTrue(stream.is_over, stream.state())
        self.assertEqual(device.violations, [])
        return stream, server.connections[0], device

    def assertFailed(self, stream):
        """The stream is cut, or was answered with an error of the proxy's."""
        self.assertTrue(not stream.is_ended or stream.status >= 500, stream.state())

    def assertTold(self, upstream, *codes):
        """The server got a GOAWAY with one of the codes, unless TCP took it back because the server was still sending."""
        if upstream.goaway or not upstream.error:
            self.assertIn(upstream.goaway and upstream.goaway[1], codes, upstream.state())

    def test_floods(self):
        """Floods by a server end its connection with ENHANCE_YOUR_CALM, and the device's stream with an error."""
        pieces = {
            "PING": frame(PING, 0, 0, bytes(8)), "SETTINGS": settings((http2.INITIAL_WINDOW_SIZE, 65535)),
            "empty DATA": frame(DATA, 0, 1), "WINDOW_UPDATE": window_update(0, 1), "unknown frames": frame(0xFE, 0, 0, b"x"),
        }
        for label, piece in pieces.items():
            with self.subTest(label):
                def handler(stream):
                    stream.send_head([(":status", "200")])
                    for _ in range(400):
                        if stream.end.is_over:
                            return
                        stream.end.write(piece * 500)
                        stream.end.flush()

                stream, upstream, _ = self.play(handler)
                self.assertFailed(stream)
                self.assertTrue(upstream.wait_over())
                self.assertTold(upstream, http2.ENHANCE_YOUR_CALM)

    def test_informational_flood(self):
        """A server that sends informational responses for ever does not take the proxy's memory along."""
        block = literal([(":status", "103"), ("link", "v" * 2000)])

        def handler(stream):
            for _ in range(4000):
                if stream.end.is_over or stream.reset is not None:
                    return
                stream.end.write(frame(HEADERS, END_HEADERS, stream.id, block) * 10)
                stream.end.flush()
            stream.reply(body=b"at last")

        server = self.enterContext(http2_origin.Origin(handler, leaf=pki.shared().leaf(NAME)))
        device = self.enterContext(self.shared.http2(NAME, server.port))
        device.stop_reading()
        device.request(f"{NAME}:{server.port}")
        figures = []
        eventually(lambda: figures.append(self.shared.resident_bytes()) or (
            len(figures) > 60 and figures[-1] - figures[-50] < 1 << 20), 10)
        self.assertLess(figures[-1] - self.before, GROWTH)

    def test_continuation_flood(self):
        """An answer's head that never ends is cut off."""
        def handler(stream):
            stream.end.write(frame(HEADERS, 0, stream.id, literal([(":status", "200")])))
            for _ in range(4000):
                if stream.end.is_over:
                    return
                stream.end.write(frame(CONTINUATION, 0, stream.id, literal([("x-more", "v" * 4000)]) * 4))
                stream.end.flush()

        stream, upstream, _ = self.play(handler)
        self.assertFailed(stream)
        self.assertTrue(upstream.wait_over())

    def test_huge_head(self):
        """An answer's head over the limit is 502 or a reset for the device."""
        stream, _, device = self.play(lambda stream: stream.reply(fields=[(f"x-{number}", "v" * 3000) for number in range(40)]))
        self.assertFailed(stream)

    def test_malformed_heads(self):
        """A malformed answer is an error for its stream alone."""
        ok = (":status", "200")
        cases = {
            "no status": [("x-a", "1")], "two": [ok, ok], "late": [("x-a", "1"), ok], "of a request": [ok, (":path", "/")],
            "text": [(":status", "ok")], "four digits": [(":status", "2000")], "zero": [(":status", "000")], "101": [(":status", "101")],
            "upper case": [ok, ("X-A", "1")], "line break": [ok, ("x-a", "1\r\nset-cookie: a=1")], "NUL": [ok, ("x-a", "\0")],
            "connection": [ok, ("connection", "close")], "transfer-encoding": [ok, ("transfer-encoding", "chunked")],
            "two lengths": [ok, ("content-length", "1"), ("content-length", "2")], "space in name": [ok, ("x a", "1")],
        }

        def handler(stream):
            label = stream.get(":path")[1:].replace("+", " ")
            if label in cases:
                stream.end.write(frame(HEADERS, END_STREAM | END_HEADERS, stream.id, literal(cases[label])))
            else:
                http2_origin.standard(stream)

        server = self.enterContext(http2_origin.Origin(handler, leaf=pki.shared().leaf(NAME)))
        device = self.enterContext(self.shared.http2(NAME, server.port))
        authority = f"{NAME}:{server.port}"
        for label in cases:
            with self.subTest(label):
                stream = device.request(authority, "/" + label.replace(" ", "+"))
                stream.wait(lambda: False)
                self.assertTrue(stream.is_over, stream.state())
                self.assertFailed(stream)
                self.assertEqual(bytes(device.fetch(authority, "/good").body), b"GET /good")
        self.assertEqual(device.violations, [])

    def test_header_bomb(self):
        """An answer's header bomb does not unfold in memory."""
        entry = b"\x40" + http2.number(6, 7, 0) + b"x-bomb" + http2.number(3000, 7, 0) + b"v" * 3000

        def handler(stream):
            stream.end.write(frame(HEADERS, END_STREAM | END_HEADERS, stream.id, literal([(":status", "200")]) + entry + b"\xbe" * 10_000))

        self.assertFailed(self.play(handler)[0])

    def test_broken_frames(self):
        """A server's frames that break the protocol end its connection with a code, and the stream with an error."""
        cases = {
            "DATA on stream 0": frame(DATA, 0, 0, b"x"), "an overflow": window_update(0, (1 << 31) - 1) * 2,
            "SETTINGS on a stream": frame(SETTINGS, 0, 1), "a stream that nobody opened": frame(HEADERS, END_HEADERS, 99, literal([(":status", "200")])),
            "content on an idle stream": frame(DATA, 0, 99, b"x"), "a bad index": frame(HEADERS, END_HEADERS, 1, b"\xff\xff\x03"),
            "ENABLE_PUSH by a server": settings((http2.ENABLE_PUSH, 1)), "a frame beyond the size": frame(DATA, 0, 1, bytes(20_000)),
        }
        for label, data in cases.items():
            with self.subTest(label):
                stream, upstream, _ = self.play(lambda stream: stream.end.write(data))
                self.assertFailed(stream)
                self.assertTrue(upstream.wait_over(), upstream.state())
                self.assertTold(upstream, http2.PROTOCOL_ERROR, http2.FLOW_CONTROL_ERROR, http2.FRAME_SIZE_ERROR, http2.COMPRESSION_ERROR)

    def test_content_without_a_head(self):
        """Content before any head, and content that HEAD or 204 cannot have, complete nothing."""
        cases = {
            "/no-head": frame(DATA, END_STREAM, 1, b"x"),
            "/204": frame(HEADERS, END_HEADERS, 1, literal([(":status", "204")])) + frame(DATA, END_STREAM, 1, b"x"),
        }
        for path, data in cases.items():
            with self.subTest(path):
                self.assertFailed(self.play(lambda stream: stream.end.write(data), path)[0])

    def test_beyond_the_window(self):
        """A server that sends beyond the proxy's windows is cut off."""
        def handler(stream):
            stream.send_head([(":status", "200")])
            for _ in range(2000):
                if stream.end.is_over:
                    return
                stream.end.write(frame(DATA, 0, stream.id, bytes(16384)) * 8)
                stream.end.flush()

        server = self.enterContext(http2_origin.Origin(handler, leaf=pki.shared().leaf(NAME)))
        device = self.enterContext(self.shared.http2(NAME, server.port, opens_windows=False))
        stream = device.request(f"{NAME}:{server.port}")
        self.assertTrue(stream.wait(lambda: stream.reset is not None, 20) or device.is_over, stream.state())
        self.assertFalse(stream.is_ended)

    def test_silent_server(self):
        """A server that takes the connection and never answers costs the device an error in time, not a hang."""
        stream, _, device = self.play(lambda stream: None)
        self.assertTrue(stream.reset is not None or stream.status == 504, stream.state())
        self.assertTrue(device.ping())

    def test_no_settings(self):
        """A server that negotiates h2 and says nothing, or speaks HTTP/1.1, costs the device an error in time."""
        for data in (b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"):
            with self.subTest(data[:8]):
                server = self.enterContext(http2_origin.Origin(
                    leaf=pki.shared().leaf(NAME), begins=False, acknowledges=False, hostile=lambda end: end.write(data)))
                device = self.enterContext(self.shared.http2(NAME, server.port))
                stream = device.request(f"{NAME}:{server.port}")
                stream.wait(lambda: False, 15)
                self.assertTrue(stream.is_over, stream.state())
                self.assertFailed(stream)
