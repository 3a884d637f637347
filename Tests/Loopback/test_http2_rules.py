"""Verdicts on HTTP/2: they are the stream's, and the connection lives."""

import gzip
import json

import http2
import http2_origin
import pki
from harness import RULES_BLOCK, RULES_REDACT, LoopbackTest, eventually
from identifiers import HOSTS, IMEI, OUTSIDE, OWN, WATCHED, luhn, spellings_in

BLOCK_FINDINGS = RULES_REDACT.replace("then: redact", "then: block")
BODY = json.dumps({"imei": IMEI, "tel": OWN, "n": [1, 2.5, None]}).encode()
JSON = [("content-type", "application/json")]


class HTTP2Rules(LoopbackTest):
    """Blocking and redacting streams of one HTTP/2 connection."""

    def setUp(self):
        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        self.watched = self.enterContext(http2_origin.Origin(leaf=leaf, address="127.66.0.1"))
        self.outside = self.enterContext(http2_origin.Origin(leaf=leaf))
        self.authority = f"{WATCHED}:{self.watched.port}"

    def device(self, proxy, host=WATCHED, **end):
        server = self.watched if host == WATCHED else self.outside
        device = proxy.http2(host, server.port, **end)
        self.addCleanup(self.assertKept, device)
        return device

    def assertKept(self, device):
        device.close()
        self.assertEqual(device.violations, [])
        for server in (self.watched, self.outside):
            for connection in server.connections:
                self.assertEqual(connection.violations, [])

    def assertBlocked(self, stream, word):
        """A whole 451 that names the rule or cause, or a reset of an upload that had begun to leave."""
        stream.wait(lambda: False)
        self.assertTrue(stream.is_over, stream.state())
        if stream.has_head:
            self.assertEqual(stream.status, 451)
            self.assertIn(word.encode(), stream.body)
        else:
            self.assertIsNotNone(stream.reset)

    # sinkhole

    def test_sinkhole(self):
        """A sinkholed host answers each HTTP/2 stream with 451, its server sees no TCP connection, the case what was sent."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        device = self.device(proxy)
        for number in range(3):
            answer = device.fetch(self.authority, f"/upload/{number}", method="POST", body=BODY, fields=JSON)
            self.assertEqual(answer.status, 451)
            self.assertIn(b"nothing-to-watched-regions", answer.body)
        answer = device.fetch(self.authority, "/json", fields=[("accept", "application/json")])
        self.assertIn("nothing-to-watched-regions", json.dumps(json.loads(bytes(answer.body))))
        self.assertEqual(self.watched.accepted, 0)
        flow = proxy.flow_of("/upload/1")
        self.assertEqual((flow["protocol"], flow["treatment"], flow["applied"], flow["status"]), ("h2", "sinkhole", "block", 451))
        shown = proxy.run("show", flow["flow"], "--case", "case", "--body", "request", "--raw", binary_output=True).out
        self.assertEqual(shown, BODY)
        self.assertIn("imei", {finding["kind"] for finding in proxy.findings() if finding["flow"] == flow["flow"]})

    def test_sinkhole_chooses(self):
        """A sinkholed device that offers only http/1.1, or nothing, is answered in that."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        for alpn in (["http/1.1"], None):
            with proxy.tunnel(WATCHED, self.watched.port, context=proxy.context(alpn=alpn)) as wire:
                self.assertEqual(wire.request("GET", "/", self.authority).status, 451)
        self.assertEqual(self.watched.accepted, 0)

    # block

    def test_block_query(self):
        """A blocked request is answered 451 on its stream; others on the same connection, before and after, are served."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=BLOCK_FINDINGS)
        device = self.device(proxy)
        other = device.request(self.authority, "/echo", "POST", end=False)
        other.send(b"before ")
        answer = device.fetch(self.authority, f"/q?imei={IMEI}")
        self.assertEqual(answer.status, 451)
        self.assertIn(b"identifiers-to-watched-regions", answer.body)
        other.send(b"after", end=True)
        self.assertEqual(bytes(other.whole().body), b"before after")
        self.assertEqual(device.fetch(self.authority, "/q?clean").status, 200)
        self.assertEqual(self.watched.accepted, 1)
        self.assertNotIn(f"/q?imei={IMEI}", [stream.get(":path") for stream in self.watched.streams])
        flow = proxy.flow_of("/q?imei")
        self.assertEqual((flow["status"], flow["applied"], flow["rule"]), (451, "block", "identifiers-to-watched-regions"))

    def test_block_body(self):
        """An identifier in a body never partly arrives, however DATA frames cut it, and the upload never completes."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=BLOCK_FINDINGS)
        device = self.device(proxy)
        for size in (1, 4, 11):
            with self.subTest(size):
                path = f"/split/{size}"
                stream = device.request(self.authority, path, "POST", end=False)
                text = b'"id":"' + IMEI.encode() + b'"' + b"b" * 64
                try:
                    stream.send(b"a" * 100_000)
                    for start in range(0, len(text), size):
                        stream.send(text[start:start + size])
                    stream.send(b"", end=True)
                except http2.Gone:
                    pass
                self.assertBlocked(stream, "identifiers-to-watched-regions")
                for seen in self.watched.streams:
                    if seen.get(":path") == path:
                        self.assertTrue(eventually(lambda: seen.reset is not None or seen.end.is_over), seen.state())
                        self.assertFalse(seen.is_ended)
                        self.assertNotIn(IMEI[:3].encode(), seen.body)
        self.assertEqual(device.fetch(self.authority, "/still").status, 200)

    def test_block_field_and_trailer(self):
        """An identifier in a field or a trailer is blocked, and the request never completes."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=BLOCK_FINDINGS)
        device = self.device(proxy)
        self.assertEqual(device.fetch(self.authority, "/field", fields=[("x-id", IMEI)]).status, 451)
        stream = device.request(self.authority, "/trailer", "POST", end=False)
        stream.send(b"content")
        stream.send_trailers([("x-id", IMEI)])
        self.assertBlocked(stream, "identifiers-to-watched-regions")
        for seen in self.watched.streams:
            self.assertNotEqual(seen.get(":path"), "/field")
            self.assertEqual([value for _, value in seen.trailers if IMEI in value], [])
            if seen.get(":path") == "/trailer":
                self.assertTrue(eventually(lambda: seen.reset is not None or seen.end.is_over))
                self.assertFalse(seen.is_ended)
        self.assertEqual(device.fetch(self.authority, "/still").status, 200)

    def test_hold_body(self):
        """`hold: body` leaves not one byte of a blocked stream's body to the server, other streams pass meanwhile."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=BLOCK_FINDINGS + "    hold: body\n")
        device = self.device(proxy)
        stream = device.request(self.authority, "/held", "POST", end=False)
        stream.send(b"a" * 300_000)
        self.assertEqual(device.fetch(self.authority, "/meanwhile").status, 200)
        stream.send(IMEI.encode(), end=True)
        self.assertEqual(stream.whole().status, 451)
        self.assertEqual(b"".join(bytes(seen.body) for seen in self.watched.streams if seen.get(":path") == "/held"), b"")
        self.assertEqual(device.fetch(self.authority, "/still").status, 200)

    def test_record_only_says(self):
        """In record mode the same streams pass, and the flow says what would have been done."""
        proxy = self.proxy(mode="record", hosts=HOSTS, rules=BLOCK_FINDINGS)
        self.assertEqual(self.device(proxy).fetch(self.authority, "/recorded", method="POST", body=BODY, fields=JSON).status, 200)
        self.assertEqual(self.watched.stream("/recorded").body, BODY)
        flow = proxy.flow_of("/recorded")
        self.assertEqual((flow["decided"], flow["applied"]), ("block", "log"))

    # redact

    def test_redact(self):
        """Query, field, body and trailer arrive without an identifier, at the same length, with a length that is right."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        device = self.device(proxy)
        stream = device.request(self.authority, f"/redact?imei={IMEI}", "POST", end=False,
                                fields=[*JSON, ("content-length", str(len(BODY))), ("cookie", f"a=1; imei={IMEI}"), ("x-id", IMEI)])
        for start in range(0, len(BODY), 7):
            stream.send(BODY[start:start + 7])
        stream.send_trailers([("x-last", IMEI)])
        self.assertEqual(stream.whole().status, 200)
        seen = [seen for seen in self.watched.streams if seen.get(":path").startswith("/redact")][0]
        self.assertEqual(spellings_in(bytes(seen.body)), [])
        self.assertEqual(spellings_in("\n".join(value for _, value in seen.fields + seen.trailers).encode()), [])
        self.assertEqual(len(seen.body), len(BODY))
        self.assertEqual(seen.get("content-length"), str(len(seen.body)))
        found = json.loads(bytes(seen.body))
        self.assertTrue(luhn(found["imei"]))
        self.assertEqual(found["n"], [1, 2.5, None])
        self.assertEqual((seen.get("x-id"), dict(seen.trailers)["x-last"], seen.get(":path")),
                         (found["imei"], found["imei"], f"/redact?imei={found['imei']}"))
        self.assertRegex("; ".join(seen.all("cookie")), r"^a=1; imei=\d{15}$")

    def test_redact_gzip(self):
        """A gzip body is redacted inside, and a declared length is corrected to what is sent."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        packed = gzip.compress(BODY + b" " * 5000)
        self.device(proxy).fetch(self.authority, "/gzip", method="POST", body=packed, fields=[
            *JSON, ("content-encoding", "gzip"), ("content-length", str(len(packed)))])
        seen = self.watched.stream("/gzip")
        self.assertEqual(seen.get("content-encoding"), "gzip")
        if seen.get("content-length"):
            self.assertEqual(int(seen.get("content-length")), len(seen.body))
        decoded = gzip.decompress(bytes(seen.body))
        self.assertEqual(spellings_in(decoded), [])
        self.assertEqual(len(decoded), len(BODY) + 5000)

    def test_redact_many(self):
        """Sixty streams that are held and redacted at once all arrive, each with its own body."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        device = self.device(proxy)
        streams = []
        for number in range(60):
            stream = device.request(self.authority, f"/many/{number}", "POST", fields=JSON, end=False)
            streams.append((stream, json.dumps({"n": number, "imei": IMEI, "pad": "x" * (1000 * number)}).encode()))
        for start in range(0, 65_000, 8_000):
            for stream, body in streams:
                if body[start:start + 8_000]:
                    stream.send(body[start:start + 8_000])
        for number, (stream, body) in enumerate(streams):
            stream.send(b"", end=True)
        for number, (stream, body) in enumerate(streams):
            self.assertEqual(stream.whole(20).status, 200)
            seen = self.watched.stream(f"/many/{number}")
            self.assertEqual(len(seen.body), len(body))
            self.assertEqual(json.loads(bytes(seen.body))["n"], number)
            self.assertEqual(spellings_in(bytes(seen.body)), [])

    def test_over_the_hold_limit(self):
        """A body too large to be held is blocked on its stream, and the connection lives."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        device = self.device(proxy)
        stream = device.request(self.authority, "/over", "POST", end=False)
        try:
            stream.send(b"x" * (3 << 20) + f'"imei":"{IMEI}"'.encode(), end=True)
        except http2.Gone:
            pass
        self.assertBlocked(stream, "not-redactable")
        for seen in self.watched.streams:
            self.assertEqual(spellings_in(bytes(seen.body)), [])
        self.assertEqual(device.fetch(self.authority, "/still").status, 200)
        flow = proxy.flow_of("/over")
        self.assertEqual((flow["status"], flow["applied"], flow["error"]["code"]), (451, "block", "not-redactable"))

    def test_outside(self):
        """A server outside the region gets everything as it was sent."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        device = self.device(proxy, OUTSIDE)
        device.fetch(f"{OUTSIDE}:{self.outside.port}", f"/o?imei={IMEI}", method="POST", body=BODY, fields=[*JSON, ("x-id", IMEI)])
        seen = self.outside.stream(f"/o?imei={IMEI}")
        self.assertEqual((bytes(seen.body), seen.get("x-id")), (BODY, IMEI))
