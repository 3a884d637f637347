"""HTTP/2 on both legs: each stream for itself, as it was sent, frame by frame."""

import hashlib

import http2
from harness import eventually
from http2_test import LARGE, NAME, HTTP2Test
from origins import pattern


class Relaying(HTTP2Test):
    """HTTP/2 from the device to the server: each stream for itself, as it was sent."""

    def test_both_legs(self):
        """A device that speaks HTTP/2 reaches a server in HTTP/2, and the case says so."""
        device = self.device()
        answer = device.fetch(self.authority, "/both-legs?x=1", fields=[("x-field", "one"), ("x-field", "two")])
        self.assertEqual((answer.status, bytes(answer.body)), (200, b"GET /both-legs?x=1"))
        seen = self.server.stream("/both-legs?x=1")
        self.assertEqual([field for field in seen.fields if field[0] == "x-field"], [("x-field", "one"), ("x-field", "two")])
        self.assertEqual((seen.get(":scheme"), seen.get(":authority")), ("https", self.authority))
        device.close()
        flow = self.shared.flow_of("/both-legs")
        self.assertEqual((flow["protocol"], flow["method"], flow["status"], flow["treatment"]), ("h2", "GET", 200, "intercepted"))

    def test_nothing_is_added(self):
        """The server sees the fields that the device sent, in their order, and no other."""
        fields = [("user-agent", "phone/1.0"), ("x-b", "2"), ("x-a", "1"), ("x-b", "3"), ("te", "trailers"), ("x-empty", ""),
                  ("x-high", "caf\xe9")]
        device = self.device()
        device.fetch(self.authority, "/as-sent", fields=fields)
        seen = self.server.stream("/as-sent")
        self.assertEqual([field for field in seen.fields if not field[0].startswith(":")], fields)

    def test_http1_server(self):
        """A device that offers h2 and http/1.1 gets http/1.1 where the server speaks no other, and is served."""
        server = self.tls_origin(NAME, alpn=["http/1.1"])
        with self.shared.tunnel(NAME, server.port, context=self.shared.context(alpn=["h2", "http/1.1"])) as wire:
            self.assertEqual(wire.sock.selected_alpn_protocol(), "http/1.1")
            self.assertEqual(wire.request("GET", "/one", f"{NAME}:{server.port}").status, 200)

    def test_server_without_alpn(self):
        """A device that offers h2 and http/1.1 to a server without ALPN speaks HTTP/1.1."""
        server = self.tls_origin(NAME)
        with self.shared.tunnel(NAME, server.port, context=self.shared.context(alpn=["h2", "http/1.1"])) as wire:
            self.assertIn(wire.sock.selected_alpn_protocol(), (None, "http/1.1"))
            self.assertEqual(wire.request("GET", "/none", f"{NAME}:{server.port}").status, 200)

    def test_http1_device(self):
        """A device that offers http/1.1 alone gets it, though the server would speak h2."""
        server = self.tls_origin(NAME, alpn=["h2", "http/1.1"])
        with self.shared.tunnel(NAME, server.port, context=self.shared.context(alpn=["http/1.1"])) as wire:
            self.assertEqual(wire.sock.selected_alpn_protocol(), "http/1.1")
            self.assertEqual(wire.request("GET", "/old", f"{NAME}:{server.port}").status, 200)

    def test_many_streams(self):
        """A hundred streams at once carry their bodies both ways byte for byte."""
        device = self.device(own_settings=LARGE)
        bodies = {number: pattern(4096 + 977 * number)[number:] for number in range(100)}
        streams = {number: device.request(self.authority, f"/echo?many{number}", "POST", end=False) for number in bodies}
        # in turns, so that all of them are open and moving
        for start in range(0, 110_000, 16_000):
            for number, stream in streams.items():
                piece = bodies[number][start:start + 16_000]
                if piece:
                    stream.send(piece)
        for stream in streams.values():
            stream.send(b"", end=True)
        # 10 MB are inspected twice: a debug build takes a second for each MB or two.
        for number, stream in streams.items():
            self.assertEqual(stream.whole(90).body, bodies[number], number)
        self.assertEqual(len({id(stream.end) for stream in self.server.streams if stream.get(":path").startswith("/echo?many")}), 1)

    def test_slow_stream(self):
        """A stream that nobody reads and one that is never answered do not stop the others."""
        device = self.device(own_settings=LARGE)
        stuck = device.open()
        stuck.opens_window = False
        stuck.send_head(http2.request(self.authority, f"/bytes?{8 << 20}"), end=True)
        silent = device.request(self.authority, "/open")
        self.assertTrue(stuck.wait(lambda: len(stuck.body) >= 1 << 20))
        for number in range(20):
            self.assertEqual(device.fetch(self.authority, "/bytes?300000").body, pattern(300_000))
        self.assertEqual(len(stuck.body), 1 << 20)
        self.assertFalse(stuck.is_over or silent.is_over)

    def test_no_window(self):
        """A device that opens no window makes the server stop, and the proxy holds no more than its windows."""
        def handler(stream):
            stream.send_head([(":status", "200")])
            for _ in range(1024):
                stream.send(bytes(1 << 16), wait=30)

        server = self.server_of(handler)
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        device = self.device(server, proxy, opens_windows=False)
        streams = [device.request(f"{NAME}:{server.port}", f"/{number}") for number in range(30)]
        self.assertTrue(eventually(lambda: len(server.streams) == 30))
        # stopped: the same figure twice, a while apart
        figures = []
        self.assertTrue(eventually(lambda: figures.append(sum(stream.sent for stream in server.streams)) or (
            len(figures) > 20 and figures[-1] == figures[-20] and figures[-1] > 0), 15))
        self.assertEqual(sum(len(stream.body) for stream in streams), 65535)
        # the proxy's windows towards the server: 4 MiB for the connection
        self.assertLessEqual(figures[-1], (4 << 20) + 65535 + (1 << 20))
        self.assertLess(proxy.resident_bytes(), 250 << 20)
        self.assertTrue(device.ping(), "the connection itself is not stuck")

    def test_no_window_for_an_upload(self):
        """A server that opens no window makes the device stop, without a byte more than the windows on the way."""
        server = self.server_of(lambda stream: stream.wait(lambda: False, 30), opens_windows=False)
        device = self.device(server)
        stream = device.request(f"{NAME}:{server.port}", "/stuck", "POST", end=False)
        with self.assertRaises(TimeoutError):
            for _ in range(1024):
                stream.send(bytes(1 << 16), wait=2)
        self.assertEqual(len(server.stream("/stuck").body), 65535)
        self.assertLessEqual(stream.sent, 65535 + (256 << 10) + (256 << 10) + 65535)

    def test_first_byte_before_the_last(self):
        """What a server sends of an answer arrives before the answer is over, and an upload's first bytes before its last."""
        device = self.device()
        stream = device.request(self.authority, "/echo?ping-pong", "POST", end=False)
        for number in range(5):
            text = b"turn %d;" % number
            stream.send(text)
            self.assertTrue(stream.wait(lambda: stream.body.endswith(text)), stream.state())
        stream.send(b"", end=True)
        stream.whole()

    def test_trailers(self):
        """Trailers arrive both ways."""
        device = self.device()
        stream = device.request(self.authority, "/trailers", "POST", fields=[("te", "trailers")], end=False)
        stream.send(b"content")
        stream.send_trailers([("x-sum", "1234"), ("x-more", "a, b")])
        self.assertEqual((bytes(stream.whole().body), stream.get("trailer")), (b"hello", "x-digest"))
        self.assertEqual(stream.trailers, [("x-digest", "5d41402a"), ("x-seen", "x-sum=1234,x-more=a, b")])

    def test_trailers_without_content(self):
        """An answer of a head and trailers alone arrives as that."""
        server = self.server_of(lambda stream: (stream.send_head([(":status", "200")]), stream.send_trailers([("x-end", "1")])))
        stream = self.device(server).fetch(f"{NAME}:{server.port}")
        self.assertEqual((bytes(stream.body), stream.trailers), (b"", [("x-end", "1")]))

    def test_informational(self):
        """Informational responses arrive, each before the final one."""
        stream = self.device().fetch(self.authority, "/hints")
        self.assertEqual([dict(fields)[":status"] for fields in stream.interim], ["103", "103"])
        self.assertEqual([dict(fields).get("link") for fields in stream.interim], ["</a.css>; rel=preload", "</b.css>; rel=preload"])
        self.assertEqual(bytes(stream.body), b"after two hints")

    def test_expectation(self):
        """A request that waits for 100 Continue gets it from the server, and its answer."""
        def handler(stream):
            stream.send_head([(":status", "100")])
            stream.reply(body=bytes(stream.whole().body))

        server = self.server_of(handler)
        stream = self.device(server).request(f"{NAME}:{server.port}", "/", "POST", end=False, fields=[
            ("expect", "100-continue"), ("content-length", "4")])
        self.assertTrue(stream.wait(lambda: stream.interim))
        self.assertEqual(dict(stream.interim[0])[":status"], "100")
        stream.send(b"body", end=True)
        self.assertEqual(bytes(stream.whole().body), b"body")

    def test_without_content(self):
        """Answers to HEAD, 204 and 304 arrive as they were, without content."""
        device = self.device()
        head = device.fetch(self.authority, "/head", method="HEAD")
        self.assertEqual((head.status, head.get("content-length"), bytes(head.body)), (200, "12345", b""))
        for status in (204, 304):
            answer = device.fetch(self.authority, f"/{status}")
            self.assertEqual((answer.status, answer.get("etag"), bytes(answer.body)), (status, '"t"', b""))

    def test_cookies(self):
        """Cookie crumbs arrive as they were sent, or joined as RFC 9113 has it."""
        self.device().fetch(self.authority, "/crumbs", fields=[("cookie", "a=1"), ("cookie", "b=2"), ("x-between", "1"), ("cookie", "c=3")])
        self.assertEqual("; ".join(self.server.stream("/crumbs").all("cookie")), "a=1; b=2; c=3")

    def test_content_length(self):
        """A declared length stays, and where there is none, none appears."""
        device = self.device()
        device.fetch(self.authority, "/with-length", method="POST", body=b"12345", fields=[("content-length", "5")])
        device.fetch(self.authority, "/without-length", method="POST", body=b"12345")
        self.assertEqual(self.server.stream("/with-length").get("content-length"), "5")
        self.assertIsNone(self.server.stream("/without-length").get("content-length"))
        self.assertIsNone(device.fetch(self.authority, "/echo", method="POST", body=b"x").get("content-length"))

    def test_large(self):
        """16 MiB go each way unchanged on a single stream, and the proxy's memory does not grow with them."""
        device = self.device(own_settings=LARGE)
        device.fetch(self.authority, "/bytes?1000000")
        before = self.shared.resident_bytes()
        body = pattern(16 << 20)
        answer = device.request(self.authority, f"/bytes?{len(body)}").whole(30)
        self.assertEqual(hashlib.sha256(answer.body).digest(), hashlib.sha256(body).digest())
        upload = device.request(self.authority, "/upload-large", "POST", end=False)
        upload.send(body, end=True, wait=30)
        self.assertEqual(upload.whole(30).status, 200)
        self.assertEqual(hashlib.sha256(self.server.stream("/upload-large").body).digest(), hashlib.sha256(body).digest())
        self.assertLess(self.shared.resident_bytes() - before, 64 << 20)

    def test_padding_and_priority(self):
        """Padded frames, priorities and frames of unknown kinds are taken in their stride, from both sides."""
        def handler(stream):
            stream.whole()
            head = stream.end.encode([(":status", "200")])
            padded = bytes((10,)) + head + bytes(10)
            stream.end.write(
                http2.frame(0xBE, 0x55, 0, b"grease") +
                http2.frame(http2.HEADERS, http2.END_HEADERS | http2.PADDED, stream.id, padded) +
                http2.frame(http2.DATA, http2.PADDED, stream.id, bytes((255,)) + b"padded " + bytes(255)) +
                http2.frame(http2.DATA, http2.PADDED | http2.END_STREAM, stream.id, bytes((0,)) + bytes(stream.body)))

        server = self.server_of(handler)
        device = self.device(server)
        with device.changed:
            stream = device.open()
            head = device.encode(http2.request(f"{NAME}:{server.port}", "/padded", "POST"))
            device.write(
                http2.frame(http2.PRIORITY, 0, stream.id + 100, bytes((0, 0, 0, 0, 200))) +
                http2.frame(http2.HEADERS, http2.END_HEADERS | http2.PADDED | http2.PRIORITISED, stream.id,
                            bytes((7,)) + bytes((0x80, 0, 0, 0, 15)) + head + bytes(7)) +
                http2.frame(0xBE, 0, stream.id, b"grease") +
                http2.frame(http2.DATA, http2.PADDED, stream.id, bytes((3,)) + b"con" + bytes(3)) +
                http2.frame(http2.DATA, http2.PADDED | http2.END_STREAM, stream.id, bytes((100,)) + b"tent" + bytes(100)))
        self.assertEqual(bytes(stream.whole().body), b"padded content")

    def test_padding_gives_credit_back(self):
        """Padding takes of the windows and is given back: a stream of padded frames does not run dry."""
        device = self.device()
        stream = device.request(self.authority, "/padding", "POST", end=False)
        for _ in range(2000):  # 512 kB of padding for 2 kB of content
            self.assertTrue(stream.wait(lambda: min(stream.window, device.window) >= 257), stream.state())
            with device.changed:
                stream.window -= 257
                device.window -= 257
                device.write(http2.frame(http2.DATA, http2.PADDED, stream.id, b"\xffx" + bytes(255)))
        stream.send(b"", end=True)
        self.assertEqual(stream.whole().status, 200)
        self.assertEqual(self.server.stream("/padding").body, b"x" * 2000)
