"""HTTP/2 connections as a whole, and the case of their streams."""

import json
import threading

import http2
import http2_origin
from harness import eventually, lines_of
from http2_test import NAME, HTTP2Test
from origins import pattern
from ports import free_port


class Connections(HTTP2Test):
    """What concerns the connection as a whole."""

    def test_ping(self):
        """PING is answered."""
        device = self.device()
        self.assertTrue(device.ping())
        device.fetch(self.authority, "/pinged")
        self.assertTrue(self.server.connections[-1].ping())

    def test_push(self):
        """Push is refused: the server is told so, and one that pushes all the same gets nothing through."""
        def handler(stream):
            block = http2.literal(http2.request(f"{NAME}:{server.port}", "/pushed"))
            stream.end.write(http2.frame(http2.PUSH_PROMISE, http2.END_HEADERS, stream.id, b"\0\0\0\x02" + block))
            stream.end.write(http2.frame(http2.HEADERS, http2.END_HEADERS, 2, http2.literal([(":status", "200")])))
            stream.end.write(http2.frame(http2.DATA, http2.END_STREAM, 2, b"pushed"))

        server = self.server_of(handler)
        device = self.device(server)
        stream = device.request(f"{NAME}:{server.port}", "/")
        stream.wait(lambda: False)
        self.assertFalse(stream.is_ended and stream.status == 200)
        upstream = server.connections[0]
        self.assertEqual(upstream.peer_settings.get(http2.ENABLE_PUSH), 0)
        self.assertTrue(upstream.wait_over())
        self.assertEqual(upstream.goaway and upstream.goaway[1], http2.PROTOCOL_ERROR)
        self.assertNotIn(http2.PUSH_PROMISE, [frame.kind for frame in device.frames])

    def test_header_tables(self):
        """Header tables that either side shrinks, empties and lets grow again change nothing in what arrives."""
        device = self.device()
        device.fetch(self.authority, "/tables?first")
        upstream = self.server.connections[-1]
        fields = [(f"x-field-{number}", "v" * 50 + str(number)) for number in range(40)]

        def one(label):
            answer = device.fetch(self.authority, f"/tables?{label}", fields=fields)
            self.assertEqual(bytes(answer.body), f"GET /tables?{label}".encode())
            seen = self.server.stream(f"/tables?{label}")
            self.assertEqual([field for field in seen.fields if field[0].startswith("x-")], fields)

        one("before")
        for size in (0, 100, 65536, 4096):
            for end in (device, upstream):
                with end.changed:
                    end.decoder.max_allowed_table_size = max(size, 4096)
                    end.write(http2.settings((http2.HEADER_TABLE_SIZE, size)))
                self.assertTrue(end.ping())
            one(f"{size}-a")
            one(f"{size}-b")

    def test_window_changes(self):
        """A changed SETTINGS_INITIAL_WINDOW_SIZE holds for the streams that are open, below zero too."""
        device = self.device(opens_windows=False)
        stream = device.request(self.authority, "/bytes?200000")
        self.assertTrue(stream.wait(lambda: len(stream.body) == 65535))
        with device.changed:
            device.own_settings[http2.INITIAL_WINDOW_SIZE] = 1000
            stream.credit += 1000 - 65535
            device.write(http2.settings((http2.INITIAL_WINDOW_SIZE, 1000)))
        self.assertTrue(device.ping())
        device.open_window(64535, stream)  # to zero, and nothing may come
        self.assertTrue(device.ping())
        self.assertEqual(len(stream.body), 65535)
        device.open_window(200_000, stream)
        self.assertEqual(stream.whole().body, pattern(200_000))

    def test_one_stream_at_a_time(self):
        """A server that takes one stream at a time serves twenty that a device opens at once."""
        most = []

        def handler(stream):
            most.append(sum(not other.has_ended for other in stream.end.streams.values()))
            http2_origin.standard(stream)

        server = self.server_of(handler, own_settings={http2.MAX_CONCURRENT_STREAMS: 1})
        device = self.device(server)
        device.fetch(f"{NAME}:{server.port}", "/first")
        streams = [device.request(f"{NAME}:{server.port}", f"/queued/{number}") for number in range(20)]
        for number, stream in enumerate(streams):
            self.assertEqual(bytes(stream.whole().body), f"GET /queued/{number}".encode())
        self.assertEqual(max(most), 1)

    def test_too_many_streams_too_early(self):
        """Streams beyond a limit that the device cannot know yet are refused, and the others are served."""
        device = self.device(acknowledges=False)
        streams = [device.request(self.authority, f"/echo?early{number}", "POST", end=False) for number in range(105)]
        self.assertEqual(streams[-1].cut(), http2.REFUSED_STREAM, device.state())
        limit = device.peer_settings[http2.MAX_CONCURRENT_STREAMS]
        self.assertEqual([stream.cut() for stream in streams[limit:]], [http2.REFUSED_STREAM] * (105 - limit), device.state())
        self.assertEqual([stream.reset for stream in streams[:limit]], [None] * limit)
        for stream in streams[:limit]:
            stream.send(b"fine", end=True)
        for stream in streams[:limit]:
            self.assertEqual(bytes(stream.whole().body), b"fine")

    def test_too_many_streams(self):
        """Streams beyond a limit that the device has acknowledged reach no server: refused, or PROTOCOL_ERROR for it all."""
        device = self.device()
        device.fetch(self.authority, "/limit")
        limit = device.peer_settings[http2.MAX_CONCURRENT_STREAMS]
        streams = [device.request(self.authority, f"/echo?limit{number}", "POST", end=False) for number in range(limit + 5)]
        for stream in streams[limit:]:
            code = stream.cut()
            self.assertTrue(code == http2.REFUSED_STREAM or device.goaway[1] == http2.PROTOCOL_ERROR, device.state())
        seen = {stream.get(":path") for stream in self.server.streams}
        self.assertEqual([number for number in range(limit, limit + 5) if f"/echo?limit{number}" in seen], [])

    def test_alternative_services(self):
        """Alt-Svc, as a field and as a frame, does not reach the device, and is counted."""
        def handler(stream):
            value = b'h3=":443"'
            stream.end.write(http2.frame(http2.ALTSVC, 0, stream.id, b"\0\0" + value))
            stream.reply(body=b"x", fields=[("alt-svc", 'h3=":443"; ma=60'), ("x-stays", "1")])

        server = self.server_of(handler)
        device = self.device(server)
        answer = device.fetch(f"{NAME}:{server.port}", "/alternative")
        self.assertEqual((answer.get("alt-svc"), answer.get("x-stays")), (None, "1"))
        self.assertNotIn(http2.ALTSVC, [frame.kind for frame in device.frames])
        self.assertTrue(eventually(lambda: [line for line in lines_of(self.shared.case) if json.loads(line)["type"] == "coverage"]))

    def test_misdirected(self):
        """TLS-53: A request for another authority than the connection's is answered 421, and the connection lives."""
        device = self.device()
        count = len(self.server.streams)
        self.assertEqual(device.fetch("elsewhere.example", "/misdirected").status, 421)
        self.assertEqual(bytes(device.fetch(self.authority, "/directed").body), b"GET /directed")
        self.assertEqual(len(self.server.streams), count + 1)

    def test_host_and_authority(self):
        """TLS-53: A Host field that differs from :authority does not reach the server."""
        device = self.device()
        stream = device.request(self.authority, "/two-names", fields=[("host", "elsewhere.example")])
        stream.wait(lambda: stream.has_head)
        self.assertTrue(stream.reset is not None or stream.status in (400, 421), stream.state())
        self.assertNotIn("/two-names", [stream.get(":path") for stream in self.server.streams])
        self.assertEqual(device.fetch(self.authority, "/one-name").status, 200)

    def test_own_site(self):
        """The onboarding site's probe is answered over HTTP/2 by the proxy itself."""
        device = self.shared.http2("check.tidewaiter.internal", 443, alpn=["h2", "http/1.1"])
        self.addCleanup(self.assertKept, device)
        self.assertEqual(device.fetch("check.tidewaiter.internal", "/ok").status, 204)
        self.assertEqual(device.fetch("check.tidewaiter.internal", "/ok", method="HEAD").status, 204)

    def test_dead_server(self):
        """A server that cannot be reached costs the device an answer, over HTTP/2 or before, not a hang."""
        answer, wire = self.shared.connect(f"{NAME}:{free_port()}")
        wire.close()
        self.assertEqual(answer.status, 502)

    def test_stop(self):
        """A proxy that is told to stop lets the streams in flight end, and then the connection."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        device = self.device(proxy=proxy)
        stream = device.request(self.authority, "/echo?stopping", "POST", end=False)
        stream.send(b"before ")
        self.assertTrue(stream.wait(lambda: stream.body))
        stopping = threading.Thread(target=proxy.stop, daemon=True)
        stopping.start()
        self.assertTrue(device.wait(lambda: device.goaway), device.state())
        stream.send(b"after", end=True)
        self.assertEqual(bytes(stream.whole().body), b"before after")
        self.assertTrue(device.wait_over())
        stopping.join(20)
        self.assertIn("INTACT", proxy.run("evidence", "verify", "case").out)


class Recorded(HTTP2Test):
    """A case of HTTP/2 flows, sealed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        authority = f"{NAME}:{cls.server.port}"
        with cls.shared.http2(NAME, cls.server.port) as device:
            device.fetch(authority, "/first?imei=490154203237518")
            device.fetch(authority, "/echo", method="POST", body=b"text \xff binary" * 100, fields=[("content-type", "text/plain")])
            device.request(authority, "/reset").cut()
            device.fetch(authority, "/trailers", method="POST", body=b'{"imei":"490154203237518"}', fields=[("x-imei", "490154203237518")])
        cls.shared.flow_of("/trailers")
        cls.shared.stop()

    def of(self, word):
        return [flow for flow in self.shared.flows() if word in flow["url"]][0]

    def test_verifies(self):
        """The case verifies as INTACT, and each stream is a flow with its end."""
        self.assertIn("INTACT", self.shared.run("evidence", "verify", "case").out)
        flows = self.shared.flows()
        self.assertEqual({flow["protocol"] for flow in flows}, {"h2"})
        self.assertEqual(len(flows), 4)
        self.assertTrue(all(flow["ended"] for flow in flows))
        self.assertTrue(self.of("/reset")["error"])
        self.assertFalse(self.of("/echo")["error"])

    def test_show(self):
        """show prints a stream's heads, and its bodies byte for byte."""
        flow = self.of("/echo")["flow"]
        said = self.shared.run("show", flow, "--case", "case").out
        self.assertIn(f"POST https://{NAME}:{self.server.port}/echo", said)
        self.assertIn("content-type: text/plain", said)
        for side in ("request", "response"):
            raw = self.shared.run("show", flow, "--case", "case", "--body", side, "--raw", binary_output=True).out
            self.assertEqual(raw, b"text \xff binary" * 100)

    def test_findings(self):
        """Identifiers in query, field and body of a stream are found."""
        found = {(finding["location"], finding["kind"]) for finding in self.shared.findings()}
        self.assertTrue({("query", "imei"), ("header", "imei"), ("body", "imei")} <= found, found)

    def test_har(self):
        """The HAR is valid JSON with every stream, HTTP/2 as its version and no pseudo-field that could mislead."""
        self.shared.run("evidence", "export", "case", "--har", "-o", "h2.har")
        log = json.loads((self.shared.path / "h2.har").read_text())["log"]
        entries = {entry["request"]["url"].rpartition("/")[2]: entry for entry in log["entries"]}
        self.assertEqual(set(entries), {"first?imei=490154203237518", "echo", "reset", "trailers"})
        for entry in entries.values():
            self.assertRegex(entry["request"]["httpVersion"].lower(), r"^(http/2|h2)")
        echo = entries["echo"]
        self.assertEqual((echo["request"]["method"], echo["response"]["status"]), ("POST", 200))
        names = [header["name"] for header in echo["request"]["headers"]]
        self.assertIn("content-type", names)
