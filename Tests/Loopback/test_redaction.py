"""Redact mode: no identifier arrives, and what arrives still parses."""

import base64
import gzip
import hashlib
import json
import urllib.parse
import zlib

import pki
from harness import LoopbackTest, Proxy
from identifiers import (
    CARRIER, CONTACT_NAME, HOSTS, IMEI, IMSI, OUTSIDE, OWN, WATCHED, cut_digest, luhn, spellings_in)
from origins import Origin
from wire import Truncated


class Redaction(LoopbackTest):
    """In redact mode no identifier reaches the watched server, and what does arrive still parses."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(mode="redact", hosts=HOSTS))
        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        cls.watched = cls.enterClassContext(Origin(leaf=leaf, address="127.66.0.1"))
        cls.outside = cls.enterClassContext(Origin(leaf=leaf))

    def send(self, path, method="POST", body=b"", fields=(), watched=True):
        """What the server saw of one request."""
        host, server = (WATCHED, self.watched) if watched else (OUTSIDE, self.outside)
        count = len(server.connections)
        answer = self.shared.fetch(host, server.port, path, method, body if method == "POST" else None, fields)
        self.assertEqual(answer.status, 200, answer.body)
        connection = server.connections[count]
        self.assertEqual(len(connection.requests), 1)
        return connection.requests[0], bytes(connection.received)

    def assertClean(self, data):
        self.assertEqual(spellings_in(data), [])

    def test_json(self):
        """JSON arrives without an identifier, with the same length and the same shape."""
        body = json.dumps({"d": {"imei": IMEI, "imsi": int(IMSI), "n": [1, 2.5, None, True], "tel": OWN,
                                 "operator": CARRIER}, "contacts": [{"name": CONTACT_NAME, "phone": "0955555501"}],
                           "h": cut_digest(IMEI), "other": "stays"}).encode()
        seen, raw = self.send("/json/redact", body=body, fields=[("Content-Type", "application/json")])
        self.assertClean(raw)
        self.assertEqual(len(seen.body), len(body))
        found = json.loads(seen.body)
        self.assertEqual((found["other"], found["d"]["n"]), ("stays", [1, 2.5, None, True]))
        self.assertRegex(found["d"]["imei"], r"^\d{15}$")
        self.assertTrue(luhn(found["d"]["imei"]))
        self.assertIsInstance(found["d"]["imsi"], int)
        self.assertEqual(str(found["d"]["imsi"])[:5], IMSI[:5])
        self.assertEqual(len(found["d"]["tel"]), len(OWN))
        self.assertEqual(found["h"], cut_digest(found["d"]["imei"]), "a digest becomes the digest of the pseudonym")

    def test_form(self):
        """A form arrives without an identifier, with the same length and the same keys."""
        body = urllib.parse.urlencode(
            {"imei": IMEI, "imsi": IMSI, "tel": OWN, "name": CONTACT_NAME, "op": CARRIER, "k": "stays"}).encode()
        seen, raw = self.send("/form/redact", body=body, fields=[("Content-Type", "application/x-www-form-urlencoded")])
        self.assertClean(raw)
        self.assertEqual(len(seen.body), len(body))
        found = urllib.parse.parse_qs(seen.body.decode(), strict_parsing=True)
        self.assertEqual(list(found), ["imei", "imsi", "tel", "name", "op", "k"])
        self.assertEqual(found["k"], ["stays"])

    def test_query_and_path(self):
        """Path and query of the 2014 client arrive without its digests, at the same length."""
        path = f"/pass/activate/dev/{cut_digest(IMEI)}/activating?imsi={cut_digest(IMSI)}&externalId=%2B{OWN[1:]}&k=1"
        seen, raw = self.send(path, "GET")
        self.assertClean(raw)
        self.assertEqual(len(seen.target), len(path))
        self.assertRegex(seen.target, r"^/pass/activate/dev/[\w-]{16}/activating\?imsi=[\w-]{16}&externalId=%2B\d{12}&k=1$")

    def test_header_and_cookie(self):
        """Fields and cookies arrive without an identifier; the others stay as they were."""
        seen, raw = self.send("/fields/redact", "GET", fields=[
            ("X-Device-Id", IMEI), ("User-Agent", f"phone/1.0 ({CARRIER})"),
            ("Cookie", f"session=abc; imei={IMEI}; tel={OWN[1:]}"), ("X-Stays", "490154203237519")])
        self.assertClean(raw)
        self.assertRegex(seen.get("X-Device-Id"), r"^\d{15}$")
        self.assertRegex(seen.get("Cookie"), r"^session=abc; imei=\d{15}; tel=\d{12}$")
        self.assertRegex(seen.get("User-Agent"), r"^phone/1\.0 \(.{16}\)$")
        self.assertEqual(seen.get("X-Stays"), "490154203237519")

    def test_gzip(self):
        """A gzip body is decoded, redacted and encoded again, at the same decoded length."""
        body = json.dumps({"imei": IMEI, "tel": OWN, "pad": "x" * 500}).encode()
        seen, raw = self.send("/gzip/redact", body=gzip.compress(body), fields=[
            ("Content-Type", "application/json"), ("Content-Encoding", "gzip")])
        self.assertEqual(seen.get("Content-Encoding"), "gzip")
        decoded = gzip.decompress(seen.body)
        self.assertClean(decoded)
        self.assertEqual(len(decoded), len(body))
        self.assertEqual(json.loads(decoded)["pad"], "x" * 500)

    def test_chunked(self):
        """A chunked body whose chunks cut an identifier anywhere arrives without it."""
        body = json.dumps({"imei": IMEI, "k": "v" * 40}).encode()
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            host = f"{WATCHED}:{self.watched.port}"
            for size in (1, 2, 3, 7, 16):
                wire.send(f"POST /echo?{size} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                for start in range(0, len(body), size):
                    piece = body[start:start + size]
                    wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                wire.send(b"0\r\n\r\n")
                answer = wire.response()
                self.assertEqual(len(answer.body), len(body))
                self.assertEqual(json.loads(answer.body)["k"], "v" * 40)
        requests = [request for request in self.watched.requests if request.target.startswith("/echo?")]
        self.assertEqual(len(requests), 5)
        for request in requests:
            self.assertClean(request.body)

    def test_encodings(self):
        """Base64, hexadecimal and digests of an identifier become those of its pseudonym."""
        body = json.dumps({
            "plain": IMEI, "b64": base64.b64encode(IMEI.encode()).decode(), "hex": IMEI.encode().hex(),
            "md5": hashlib.md5(IMEI.encode()).hexdigest(), "sha256": hashlib.sha256(IMEI.encode()).hexdigest(),
            "SHA1": hashlib.sha1(IMEI.encode()).hexdigest().upper()}).encode()
        seen, raw = self.send("/encodings/redact", body=body, fields=[("Content-Type", "application/json")])
        self.assertClean(raw)
        found = json.loads(seen.body)
        pseudonym = found["plain"].encode()
        self.assertEqual(base64.b64decode(found["b64"]), pseudonym)
        self.assertEqual(bytes.fromhex(found["hex"]), pseudonym)
        self.assertEqual(found["md5"], hashlib.md5(pseudonym).hexdigest())
        self.assertEqual(found["sha256"], hashlib.sha256(pseudonym).hexdigest())
        self.assertEqual(found["SHA1"], hashlib.sha1(pseudonym).hexdigest().upper())

    def test_stable(self):
        """A value has one pseudonym in the whole case, so counts hold."""
        values = {json.loads(self.send("/stable", body=json.dumps({"i": IMEI}).encode())[0].body)["i"] for _ in range(3)}
        self.assertEqual(len(values), 1)
        self.assertNotEqual(values, {IMEI})

    def test_outside(self):
        """A server outside the region gets everything as it was sent."""
        body = json.dumps({"imei": IMEI, "tel": OWN}).encode()
        seen, _ = self.send(f"/outside?imei={IMEI}", body=body, watched=False, fields=[("X-Imei", IMEI)])
        self.assertEqual((seen.body, seen.get("X-Imei"), seen.target), (body, IMEI, f"/outside?imei={IMEI}"))

    def test_clean_traffic(self):
        """A request without an identifier passes to the watched server as it was sent."""
        body = json.dumps({"n": list(range(500))}).encode()
        seen, _ = self.send("/clean?x=1", body=body, fields=[("X-Field", "value")])
        self.assertEqual((seen.body, seen.get("X-Field")), (body, "value"))

    def test_case_has_both(self):
        """The case keeps the original body, and the finding says what was applied."""
        body = json.dumps({"imei": IMEI, "mark": "both"}).encode()
        self.send("/both-kept", body=body)
        flow = self.shared.flow_of("/both-kept")
        kept = self.shared.run("show", flow["flow"], "--case", "case", "--body", "request", "--raw", binary_output=True).out
        self.assertEqual(kept, body)
        sent = self.shared.run("show", flow["flow"], "--case", "case", "--body", "request", "--raw", "--sent", binary_output=True).out
        self.assertClean(sent)
        self.assertEqual(len(sent), len(body))
        findings = [finding for finding in self.shared.findings() if finding["flow"] == flow["flow"]]
        self.assertEqual({(finding["kind"], finding["applied"]) for finding in findings}, {("imei", "redact")})

    def test_over_the_hold_limit(self):
        """A body that is too large to be held falls to `otherwise: block`; its identifier does not arrive."""
        count = len(self.watched.connections)
        body = b"x" * (3 << 20) + f'"imei":"{IMEI}"'.encode()
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            try:
                answer = wire.request("POST", "/over", f"{WATCHED}:{self.watched.port}", body)
                self.assertEqual(answer.status, 451)
            except (OSError, Truncated):
                pass  # the answer may be lost when the upload is cut
        self.assertClean(b"".join(bytes(connection.received) for connection in self.watched.connections[count:]))

    def test_not_redactable(self):
        """An identifier in an encoding that cannot be decoded is not let through as it is by accident."""
        body = gzip.compress(json.dumps({"imei": IMEI}).encode())[:-6]  # cut: the checksum is missing
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            answer = wire.request("POST", "/cut-gzip", f"{WATCHED}:{self.watched.port}", body, [("Content-Encoding", "gzip")])
        self.assertEqual(answer.status, 451)

    def test_expectation(self):
        """A client that waits for 100-continue is told to go on, although its body is held."""
        body = json.dumps({"imei": IMEI}).encode()
        host = f"{WATCHED}:{self.watched.port}"
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            wire.send(f"POST /echo?expect HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            self.assertEqual(wire.head().status, 100)
            wire.send(body)
            answer = wire.response()
        self.assertEqual((answer.status, len(answer.body)), (200, len(body)))
        self.assertClean(answer.body)

    def test_trailers(self):
        """An identifier in a trailer field does not arrive."""
        host = f"{WATCHED}:{self.watched.port}"
        count = len(self.watched.connections)
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            wire.send(f"POST /trailers?redact HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Id\r\n\r\n"
                      f"2\r\nok\r\n0\r\nX-Id: {IMEI}\r\n\r\n".encode())
            self.assertIn(wire.response().status, (200, 451))
        self.assertClean(b"".join(bytes(connection.received) for connection in self.watched.connections[count:]))

    def test_gzip_of_two_members(self):
        """An identifier in the second member of a gzip body does not arrive."""
        body = gzip.compress(b'{"a":1,') + gzip.compress(b'"imei":"' + IMEI.encode() + b'"}')
        seen, _ = self.send("/gzip/two", body=body, fields=[("Content-Encoding", "gzip")])
        decoded = gzip.decompress(seen.body)
        self.assertClean(decoded)
        self.assertEqual(json.loads(decoded)["a"], 1)

    def test_gzip_bomb(self):
        """A body that decodes to a thousand times its size is blocked, and the proxy does not grow by it."""
        compressor = zlib.compressobj(9, wbits=31)
        body = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(64)) + compressor.flush()
        before = self.shared.resident_bytes()
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            answer = wire.request("POST", "/bomb", f"{WATCHED}:{self.watched.port}", body, [("Content-Encoding", "gzip")])
        self.assertEqual(answer.status, 451)
        self.assertLess(self.shared.resident_bytes() - before, 48 << 20)

    def test_unknown_coding(self):
        """A body in a coding that the proxy cannot decode falls to `otherwise: block`."""
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            answer = wire.request("POST", "/unknown-coding", f"{WATCHED}:{self.watched.port}", b"\x0b\x02\x80opaque\x03" * 40,
                                  [("Content-Encoding", "br")])
        self.assertEqual(answer.status, 451)
        self.assertNotIn(b"/unknown-coding", self.watched.received)

    def test_false_length(self):
        """A request whose body ends before its Content-Length is never completed at the server."""
        count = len(self.watched.connections)
        wire = self.shared.tunnel(WATCHED, self.watched.port)
        wire.send(f"POST /cut-upload HTTP/1.1\r\nHost: {WATCHED}:{self.watched.port}\r\nContent-Length: 4000\r\n\r\n".encode()
                  + IMEI.encode())
        wire.close()
        self.shared.flow_of("/cut-upload")
        self.assertClean(b"".join(bytes(connection.received) for connection in self.watched.connections[count:]))

    def test_digits_inside_digits(self):
        """A longer number that holds the IMEI's digits by chance is left alone."""
        body = json.dumps({"order": int("77" + IMEI + "12")}).encode()
        seen, _ = self.send("/order", body=body)
        self.assertEqual(seen.body, body)

    def arrived(self, count):
        """What the watched server was sent since it had `count` connections, bodies unpacked too."""
        text = b""
        for connection in self.watched.connections[count:]:
            text += bytes(connection.received)
            for request in connection.requests:
                body = request.body
                for _ in range(3):
                    if not body.startswith(b"\x1f\x8b"):
                        break
                    body = gzip.decompress(body)
                    text += body
        return text

    def test_spellings_of_codings(self):
        """However Content-Encoding is written, and whatever is true of it, no identifier arrives."""
        plain = json.dumps({"imei": IMEI, "tel": OWN, "pad": "p" * 300}).encode()
        once, twice = gzip.compress(plain), gzip.compress(gzip.compress(plain))
        for codings, body in (
                (["GZIP"], once), (["x-gzip"], once), (["identity"], plain), (["gzip, gzip"], twice), (["gzip", "gzip"], twice),
                (["gzip,identity"], once), ([" gzip"], once), (["gzip;q=1"], once), ([""], plain),
                (["gzip"], plain), (["br"], plain), (["deflate"], zlib.compress(plain)), (["deflate"], plain), (["gzip"], once + plain),
                (["gzip, br"], once)):
            with self.subTest(codings=codings, body=body[:12]):
                count = len(self.watched.connections)
                with self.shared.tunnel(WATCHED, self.watched.port) as wire:
                    answer = wire.request("POST", "/codings", f"{WATCHED}:{self.watched.port}", body,
                                          [("Content-Encoding", coding) for coding in codings])
                    self.assertIn(answer.status, (200, 400, 451))
                text = self.arrived(count)
                self.assertClean(text)
                if codings == ["deflate"] and answer.status == 200:
                    self.assertClean(zlib.decompress(self.watched.connections[-1].requests[-1].body))

    def test_chunk_extensions(self):
        """An identifier in a chunk extension does not arrive."""
        count = len(self.watched.connections)
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            wire.send(f"POST /extension HTTP/1.1\r\nHost: {WATCHED}:{self.watched.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
                      f"2;id={IMEI}\r\nok\r\n0;id={IMEI}\r\n\r\n".encode())
            self.assertIn(wire.response().status, (200, 400, 451))
        self.assertClean(self.arrived(count))

    def test_empty_bodies(self):
        """Requests without content pass: an empty body, an empty chunked one, an empty gzip one."""
        host = f"{WATCHED}:{self.watched.port}"
        with self.shared.tunnel(WATCHED, self.watched.port) as wire:
            self.assertEqual(wire.request("POST", "/empty", host, b"").status, 200)
            self.assertEqual(wire.request("POST", "/empty", host, b"", [("Content-Encoding", "gzip")]).status, 200)
            self.assertEqual(wire.request("POST", "/empty", host, gzip.compress(b""), [("Content-Encoding", "gzip")]).status, 200)
            wire.send(f"POST /empty HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode())
            self.assertEqual(wire.response().status, 200)

    def test_responses_are_left_alone(self):
        """A rule for requests leaves the same value in a response as it is."""
        server = self.tls_origin(WATCHED, address="127.66.0.1", handler=lambda exchange: exchange.reply(body=IMEI.encode()))
        self.assertEqual(self.shared.fetch(WATCHED, server.port, "/").body, IMEI.encode())
