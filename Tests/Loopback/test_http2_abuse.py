"""HTTP/2 peers that mean harm: the right code, the connection closed, everyone else served, memory bounded."""

import http2
import http2_origin
import pki
from harness import LoopbackTest, Proxy, eventually
from http2 import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, literal,
    request, rst_stream, settings, window_update)
from origins import pattern

NAME = "origin.example"
GROWTH = 160 << 20  # of a debug build too; an unbounded queue of what is sent here would pass it


class Abuse(LoopbackTest):
    """One proxy for all: whatever was done to it, it must serve the next."""

    weight = 3

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.server = cls.enterClassContext(http2_origin.Origin(leaf=pki.shared().leaf(NAME)))
        cls.authority = f"{NAME}:{cls.server.port}"
        with cls.shared.http2(NAME, cls.server.port) as device:
            device.fetch(cls.authority, "/bytes?1000000")

    def setUp(self):
        self.before = self.shared.resident_bytes()

    def tearDown(self):
        # whatever happened: alive, not grown, and everyone else is served
        self.assertIsNone(self.shared.process.poll(), self.shared.said())
        with self.shared.http2(NAME, self.server.port) as bystander:
            self.assertEqual(bystander.fetch(self.authority, "/bytes?100000").body, pattern(100_000))
        self.assertLess(self.shared.resident_bytes() - self.before, GROWTH)

    def device(self, port=None, **end):
        return self.enterContext(self.shared.http2(NAME, port or self.server.port, **end))

    def bystander(self):
        """A connection of somebody else's, which is served while the abuse goes on."""
        device = self.device()

        def is_served():
            return bytes(device.fetch(self.authority, "/served").body) == b"GET /served"

        self.assertTrue(is_served())
        return is_served

    def assertClosed(self, device, *codes, wait=15):
        """The connection ends, after a GOAWAY with one of the codes."""
        self.assertTrue(device.wait_over(wait), device.state())
        self.assertIsNotNone(device.goaway, device.state())
        self.assertIn(device.goaway[1], codes, device.state())

    def flood(self, device, piece, times, served=None):
        """Sends a piece again and again, until the proxy has enough of it."""
        for number in range(times):
            if device.is_over:
                return
            device.write(piece)
            device.flush()
            if served and number % 50 == 49:
                self.assertTrue(served())

    # floods by a device

    def test_rapid_reset(self):
        """Streams that are opened and reset at once, again and again, end in ENHANCE_YOUR_CALM."""
        served = self.bystander()
        device = self.device()
        block = literal(request(self.authority, "/bytes?1000"))
        count = len(self.server.streams)
        for batch in range(200):
            if device.is_over:
                break
            with device.changed:
                device.write(b"".join(
                    frame(HEADERS, END_STREAM | END_HEADERS, stream, block) + rst_stream(stream)
                    for stream in range(1 + batch * 200, 1 + (batch + 1) * 200, 2)))
            device.flush()
            if batch % 10 == 9:
                self.assertTrue(served())
        self.assertClosed(device, http2.ENHANCE_YOUR_CALM)
        self.assertTrue(served())
        # of those that reach the server at all there are no more than the budget allows
        self.assertLess(len(self.server.streams) - count, 2000)

    def test_made_to_reset(self):
        """Streams that the proxy must reset because of the device's own errors count as the device's resets do."""
        device = self.device()
        block = literal([*request(self.authority, "/made-to-reset", "POST"), ("content-length", "1")])
        for batch in range(100):
            if device.is_over:
                break
            # more content than was declared is an error of the stream alone: the proxy has to send the reset
            device.write(b"".join(
                frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, 0, stream, b"xx")
                for stream in range(1 + batch * 100, 1 + (batch + 1) * 100, 2)))
            device.flush()
        self.assertClosed(device, http2.ENHANCE_YOUR_CALM)

    def test_ping_flood(self):
        """A flood of PING ends in ENHANCE_YOUR_CALM."""
        served = self.bystander()
        device = self.device()
        self.flood(device, frame(PING, 0, 0, bytes(8)) * 500, 400, served)
        self.assertClosed(device, http2.ENHANCE_YOUR_CALM)
        self.assertTrue(served())

    def test_unread_ping_flood(self):
        """A flood of PING by a device that reads no answer is bounded too."""
        device = self.device()
        device.stop_reading()
        for _ in range(2000):
            if device.is_over:
                break
            device.write(frame(PING, 0, 0, bytes(8)) * 500)
            if not device.flush(1):
                break
        self.assertLess(self.shared.resident_bytes() - self.before, GROWTH)

    def test_settings_flood(self):
        """A flood of SETTINGS ends in ENHANCE_YOUR_CALM."""
        device = self.device()
        self.flood(device, settings((http2.INITIAL_WINDOW_SIZE, 65535)) * 500, 400)
        self.assertClosed(device, http2.ENHANCE_YOUR_CALM)

    def test_priority_flood(self):
        """A flood of PRIORITY, and one of frames of an unknown kind, end in ENHANCE_YOUR_CALM."""
        for piece in (frame(PRIORITY, 0, 1, bytes((0, 0, 0, 0, 1))), frame(0xFE, 0, 0, b"x")):
            device = self.device()
            self.flood(device, piece * 500, 400)
            self.assertClosed(device, http2.ENHANCE_YOUR_CALM)

    def test_empty_data_flood(self):
        """A flood of empty DATA frames ends in ENHANCE_YOUR_CALM, and the upload never completes."""
        device = self.device()
        device.request(self.authority, "/empty-data", "POST", end=False)
        self.flood(device, frame(DATA, 0, 1) * 500, 400)
        self.assertClosed(device, http2.ENHANCE_YOUR_CALM)
        for seen in self.server.streams:
            self.assertFalse(seen.get(":path") == "/empty-data" and seen.is_ended)

    def test_window_update_flood(self):
        """A flood of WINDOW_UPDATE by a device that moves nothing ends in ENHANCE_YOUR_CALM."""
        device = self.device()
        self.flood(device, window_update(0, 1) * 500, 400)
        self.assertClosed(device, http2.ENHANCE_YOUR_CALM)

    def test_continuation_flood(self):
        """A head that goes on and on in CONTINUATION frames, full or empty, is cut off."""
        for label, piece in {"empty": frame(CONTINUATION, 0, 1) * 1000,
                             "full": frame(CONTINUATION, 0, 1, literal([("x-more", "v" * 4000)]) * 4)}.items():
            with self.subTest(label):
                served = self.bystander()
                device = self.device()
                device.write(frame(HEADERS, END_STREAM, 1, literal(request(self.authority))))
                self.flood(device, piece, 4000, served)
                self.assertClosed(device, http2.ENHANCE_YOUR_CALM, http2.PROTOCOL_ERROR, http2.INTERNAL_ERROR, http2.COMPRESSION_ERROR)

    def test_header_bomb(self):
        """One large value in the table, named ten thousand times, does not unfold in memory; the answer is 431 or an error."""
        device = self.device()
        # the value goes into the dynamic table once (literal with incremental indexing), then one byte stands for 3 kB
        entry = b"\x40" + http2.number(6, 7, 0) + b"x-bomb" + http2.number(3000, 7, 0) + b"v" * 3000
        device.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(request(self.authority, "/bomb")) + entry + b"\xbe" * 10_000))
        device.open()
        stream = device.streams[1]
        stream.wait(lambda: stream.has_head)
        self.assertTrue(stream.has_head and stream.status == 431 or stream.reset is not None or device.is_over, device.state())
        self.assertNotIn("/bomb", [stream.get(":path") for stream in self.server.streams])

    def test_huge_head(self):
        """A head over the limit is answered 431, and the connection goes on with its table intact."""
        device = self.device()
        device.fetch(self.authority, "/small-first")
        large = [(f"x-large-{number}", "v" * 3000) for number in range(40)]
        stream = device.request(self.authority, "/huge", fields=large)
        self.assertEqual(stream.head().status, 431)
        self.assertEqual(bytes(device.fetch(self.authority, "/small-again", fields=large[:3]).body), b"GET /small-again")
        self.assertNotIn("/huge", [stream.get(":path") for stream in self.server.streams])

    def test_many_fields(self):
        """A head of too many small fields is answered 431."""
        device = self.device()
        stream = device.request(self.authority, "/many-fields", fields=[(f"x-{number}", "v") for number in range(1000)])
        self.assertEqual(stream.head().status, 431)
        self.assertEqual(device.fetch(self.authority, "/few-fields").status, 200)

    def test_half_open_heads(self):
        """A head that never ends is cut off when its time is up, and answers nobody."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"timeouts": {"header": "1s"}})
        for end in (b"", frame(CONTINUATION, 0, 1, literal([("x-more", "1")]))):
            with proxy.http2(NAME, self.server.port) as device:
                device.write(frame(HEADERS, END_STREAM, 1, literal(request(self.authority, "/half-open"))) + end)
                self.assertTrue(device.wait_over(10), device.state())
        self.assertNotIn("/half-open", [stream.get(":path") for stream in self.server.streams])

    def test_silent_device(self):
        """A device that negotiates h2 and then says nothing is cut off when its time is up."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"timeouts": {"header": "1s", "idle": "2s"}})
        with proxy.http2(NAME, self.server.port, begins=False) as device:
            self.assertTrue(device.wait_over(10), device.state())

    def test_slow_readers(self):
        """Twenty devices that ask for much and read nothing hold no more than their windows."""
        devices = []
        for _ in range(20):
            device = self.device(own_settings={http2.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
            device.stop_reading()
            for _ in range(4):
                device.request(self.authority, "/endless")
            devices.append(device)
        figures = []
        self.assertTrue(eventually(lambda: figures.append(self.shared.resident_bytes()) or (
            len(figures) > 30 and figures[-1] - figures[-25] < 1 << 20), 20), figures[-30:])
        self.assertLess(figures[-1] - self.before, 20 * (4 << 20) + GROWTH)
        for device in devices:
            device.abort()

    # frames that break the protocol

    def test_broken_frames(self):
        """Frames that break the protocol end the connection with the code that RFC 9113 has for them."""
        block = literal(request(self.authority, "/broken"))
        opened = frame(HEADERS, END_HEADERS, 1, block)
        cases = {
            "DATA on stream 0": (frame(DATA, 0, 0, b"x"), http2.PROTOCOL_ERROR),
            "HEADERS on stream 0": (frame(HEADERS, END_HEADERS, 0, block), http2.PROTOCOL_ERROR),
            "RST_STREAM on stream 0": (rst_stream(0), http2.PROTOCOL_ERROR),
            "SETTINGS on a stream": (frame(SETTINGS, 0, 1), http2.PROTOCOL_ERROR),
            "PING on a stream": (frame(PING, 0, 1, bytes(8)), http2.PROTOCOL_ERROR),
            "DATA on an idle stream": (frame(DATA, 0, 5, b"x"), http2.PROTOCOL_ERROR),
            "RST_STREAM on an idle stream": (rst_stream(5), http2.PROTOCOL_ERROR),
            "WINDOW_UPDATE on an idle stream": (window_update(5, 1), http2.PROTOCOL_ERROR),
            "HEADERS on an even stream": (frame(HEADERS, END_HEADERS, 2, block), http2.PROTOCOL_ERROR),
            "WINDOW_UPDATE of 0 on the connection": (window_update(0, 0), http2.PROTOCOL_ERROR),
            "overflow of the connection's window": (window_update(0, (1 << 31) - 1) * 2, http2.FLOW_CONTROL_ERROR),
            "INITIAL_WINDOW_SIZE too large": (settings((http2.INITIAL_WINDOW_SIZE, 1 << 31)), http2.FLOW_CONTROL_ERROR),
            "MAX_FRAME_SIZE too small": (settings((http2.MAX_FRAME_SIZE, 100)), http2.PROTOCOL_ERROR),
            "ENABLE_PUSH of 2": (settings((http2.ENABLE_PUSH, 2)), http2.PROTOCOL_ERROR),
            "SETTINGS of an odd length": (frame(SETTINGS, 0, 0, b"12345"), http2.FRAME_SIZE_ERROR),
            "an acknowledgement with content": (frame(SETTINGS, http2.ACK, 0, bytes(6)), http2.FRAME_SIZE_ERROR),
            "PING of 7 bytes": (frame(PING, 0, 0, bytes(7)), http2.FRAME_SIZE_ERROR),
            "WINDOW_UPDATE of 3 bytes": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), http2.FRAME_SIZE_ERROR),
            "RST_STREAM of 3 bytes": (opened + frame(RST_STREAM, 0, 1, bytes(3)), http2.FRAME_SIZE_ERROR),
            "a frame beyond the size": (frame(PING, 0, 0, bytes(20_000)), http2.FRAME_SIZE_ERROR),
            "CONTINUATION out of nothing": (frame(CONTINUATION, END_HEADERS, 1, block), http2.PROTOCOL_ERROR),
            "a head that is interrupted": (frame(HEADERS, 0, 1, block) + frame(PING, 0, 0, bytes(8)), http2.PROTOCOL_ERROR),
            "CONTINUATION of another stream": (frame(HEADERS, 0, 1, block) + frame(CONTINUATION, END_HEADERS, 3), http2.PROTOCOL_ERROR),
            "HPACK index beyond the table": (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\x03"), http2.COMPRESSION_ERROR),
            "HPACK integer without end": (frame(HEADERS, END_HEADERS, 1, b"\xff" * 40), http2.COMPRESSION_ERROR),
            "HPACK table size beyond what was allowed": (frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\xff\x03" + block), http2.COMPRESSION_ERROR),
            "a cut string in HPACK": (frame(HEADERS, END_HEADERS, 1, b"\0\x7fabc"), http2.COMPRESSION_ERROR),
            "padding beyond the frame": (opened + frame(DATA, http2.PADDED, 1, b"\xffxx"), http2.PROTOCOL_ERROR),
            "PUSH_PROMISE by a device": (opened + frame(http2.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02" + block), http2.PROTOCOL_ERROR),
        }
        for label, (data, code) in cases.items():
            with self.subTest(label):
                device = self.device()
                self.assertTrue(device.ping())
                device.write(data)
                self.assertClosed(device, code)
        self.assertEqual([stream for stream in self.server.streams if stream.get(":path") == "/broken" and stream.is_ended], [])

    def test_ignored_frames(self):
        """Frames that nghttp2 passes over, though RFC 9113 has an error for them, do nothing: the connection ends or goes on."""
        block = literal(request(self.authority, "/passed-over"))
        for label, data in {"PRIORITY on stream 0": frame(PRIORITY, 0, 0, bytes(5)),
                            "a stream below the last one": frame(HEADERS, END_STREAM | END_HEADERS, 3, block)}.items():
            with self.subTest(label):
                device = self.device()
                device.next_id = 7
                self.assertEqual(device.fetch(self.authority, "/seventh").status, 200)
                device.write(data)
                self.assertTrue(device.ping() or device.goaway[1] == http2.PROTOCOL_ERROR, device.state())
                if not device.is_over:
                    self.assertEqual(bytes(device.fetch(self.authority, "/ninth").body), b"GET /ninth")
        self.assertNotIn("/passed-over", [stream.get(":path") for stream in self.server.streams])

    def test_broken_streams(self):
        """Errors of one stream end that stream or the connection, and never complete a request."""
        block = literal(request(self.authority, "/broken-stream", "POST"))
        opened = frame(HEADERS, END_HEADERS, 1, block)
        cases = {
            "WINDOW_UPDATE of 0": (opened + window_update(1, 0), http2.PROTOCOL_ERROR),
            "overflow of a window": (opened + window_update(1, (1 << 31) - 1), http2.FLOW_CONTROL_ERROR),
            "a second head": (opened + frame(HEADERS, END_HEADERS, 1, block), http2.PROTOCOL_ERROR),
        }
        for label, (data, code) in cases.items():
            with self.subTest(label):
                device = self.device()
                stream = device.open()
                device.write(data)
                stream.wait(lambda: stream.reset is not None)
                self.assertTrue(stream.reset == code or device.goaway and device.goaway[1] == code, stream.state())
        self.assertEqual([stream for stream in self.server.streams if stream.get(":path") == "/broken-stream" and stream.is_ended], [])

    def test_beyond_the_window(self):
        """Content beyond the window that the proxy gave is FLOW_CONTROL_ERROR."""
        # which nobody opens again: the server takes nothing
        server = self.enterContext(http2_origin.Origin(lambda stream: stream.wait(lambda: False, 20), leaf=pki.shared().leaf(NAME), opens_windows=False))
        device = self.device(server.port)
        device.request(f"{NAME}:{server.port}", "/", "POST", end=False)
        piece = frame(DATA, 0, 1, bytes(16384))
        self.flood(device, piece * 16, 200)
        device.wait(lambda: device.streams[1].reset is not None or device.is_over)
        code = device.streams[1].reset if device.streams[1].reset is not None else device.goaway and device.goaway[1]
        self.assertEqual(code, http2.FLOW_CONTROL_ERROR, device.state())

    def test_not_http2(self):
        """A connection that negotiated h2 and does not begin with its preface is closed."""
        for data in (b"GET / HTTP/1.1\r\nHost: origin.example\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", bytes(100)):
            with self.subTest(data[:10]):
                device = self.device(begins=False)
                device.write(data)
                self.assertTrue(device.wait_over(), device.state())

    def test_preface_without_settings(self):
        """A preface that is not followed by SETTINGS is a PROTOCOL_ERROR."""
        device = self.device(begins=False)
        device.write(http2.PREFACE + frame(PING, 0, 0, bytes(8)))
        self.assertClosed(device, http2.PROTOCOL_ERROR)

    # heads that parsers could read differently

    def assertRefused(self, fields, data=None):
        """The request never reaches a server whole and is answered 400 or a reset, on a connection that lives."""
        device = self.device()
        known = set(self.server.streams)
        stream = device.raw_request(fields, END_HEADERS if data else END_STREAM | END_HEADERS)
        if data:
            device.write(data(stream.id))
        stream.wait(lambda: stream.has_head)
        self.assertTrue(stream.has_head and 400 <= stream.status < 500 or stream.reset is not None or device.is_over, stream.state())
        if not device.is_over:
            self.assertEqual(device.fetch(self.authority, "/lives").status, 200)
        self.assertEqual([seen.fields for seen in set(self.server.streams) - known
                          if seen.get(":path") != "/lives" and (seen.is_ended or data is None)], [])
        device.close()

    def test_pseudo_fields(self):
        """Pseudo-fields that are missing, doubled, unknown, late or malformed reach no server."""
        path = "/pseudo"
        good = request(self.authority, path)

        def without(name):
            return [field for field in good if field[0] != name]

        def instead(name, value):
            return [(key, value if key == name else old) for key, old in good]

        cases = {
            "no method": without(":method"), "no path": without(":path"), "no scheme": without(":scheme"),
            "two methods": [*good, (":method", "GET")], "two paths": [*good, (":path", path)],
            "two authorities": [*good, (":authority", self.authority)],
            "unknown": [*good, (":unknown", "1")], "of a response": [*good, (":status", "200")],
            "late": [*good[:3], ("x-field", "1"), good[3]],
            "upper case": [(":METHOD", "GET"), *good[1:]],
            "empty path": instead(":path", ""), "empty method": instead(":method", ""), "no authority": instead(":authority", ""),
            "path without slash": instead(":path", "pseudo"), "path with space": instead(":path", f"{path} HTTP/1.1"),
            "path with line break": instead(":path", f"{path} HTTP/1.1\r\nX-Injected: 1"),
            "path with NUL": instead(":path", f"{path}\0"), "path with fragment": instead(":path", f"{path}#x"),
            "absolute path": instead(":path", f"https://elsewhere.example{path}"),
            "method with space": instead(":method", "GET /x"), "method with line break": instead(":method", "GET\r\n"),
            "authority with line break": instead(":authority", f"{self.authority}\r\nX-Injected: 1"),
            "authority with user": instead(":authority", f"user@{self.authority}"),
            "authority with space": instead(":authority", f"{self.authority} x"),
            "scheme with line break": instead(":scheme", "https\r\nx: 1"), "another scheme": instead(":scheme", "ftp"),
            "CONNECT": [(":method", "CONNECT"), (":authority", self.authority)],
            "extended CONNECT that was not offered": [*instead(":method", "CONNECT"), (":protocol", "unheard-of")],
        }
        for label, fields in cases.items():
            with self.subTest(label):
                self.assertRefused(fields)

    def test_fields(self):
        """Fields that would split, merge or be read as framing in HTTP/1 reach no server."""
        cases = {
            "upper case": ("X-Upper", "1"), "CR in value": ("x-a", "1\r"), "LF in value": ("x-a", "1\nx-b: 2"),
            "CRLF in value": ("x-a", "1\r\nx-b: 2"), "NUL in value": ("x-a", "1\0"), "space in name": ("x a", "1"),
            "colon in name": ("x:a", "1"), "line break in name": ("x-a: 1\r\nx-b", "2"), "empty name": ("", "1"),
            "NUL in name": ("x\0a", "1"), "high byte in name": ("x-\xe9", "1"), "trailing space in name": ("x-a ", "1"),
            "leading space in value": ("x-a", " 1"), "trailing tab in value": ("x-a", "1\t"), "DEL in value": ("x-a", "1\x7f"),
            "connection": ("connection", "close"), "keep-alive": ("keep-alive", "1"), "transfer-encoding": ("transfer-encoding", "chunked"),
            "upgrade": ("upgrade", "websocket"), "proxy-connection": ("proxy-connection", "close"), "te": ("te", "gzip"),
            "two lengths": ("content-length", "1, 2"), "signed length": ("content-length", "+5"), "host of another": ("host", "elsewhere.example"),
        }
        for label, field in cases.items():
            with self.subTest(label):
                self.assertRefused([*request(self.authority, "/fields"), field])

    def test_lying_length(self):
        """A request of another length than it declares never becomes complete."""
        for label, (declared, data) in {
                "short": ("10", b"short"), "long": ("3", b"longer"), "none": ("5", b""), "something": ("0", b"something"),
                "two": ("4", b"four")}.items():
            with self.subTest(label):
                fields = [*request(self.authority, "/lying", "POST"), ("content-length", declared)]
                if label == "two":
                    fields.append(("content-length", "5"))
                self.assertRefused(fields, lambda stream: frame(DATA, END_STREAM, stream, data))

    def test_bad_trailers(self):
        """Trailers with pseudo-fields or framing in them never complete a request."""
        for field in ((":path", "/x"), ("content-length", "3"), ("transfer-encoding", "chunked"), ("host", "elsewhere.example"),
                      ("X-Upper", "1"), ("x-a", "1\r\nx: 2")):
            with self.subTest(field):
                self.assertRefused(request(self.authority, "/bad-trailers", "POST"), lambda stream: (
                    frame(DATA, 0, stream, b"content") + frame(HEADERS, END_STREAM | END_HEADERS, stream, literal([field]))))
