"""Seeded random damage to what peers send: the proxy answers or lets go, and goes on."""

import concurrent.futures
import gzip
import json
import random
import socket
import ssl

import pki
from harness import LoopbackTest, Proxy
from identifiers import HOSTS, IMEI, OUTSIDE, OWN, WATCHED
from origins import Origin

COUNT = 150


def damaged(data, chance):
    """`data` with a few bytes changed, dropped, doubled, or the rest cut off."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(data)) if data else 0
        match chance.randrange(5):
            case 0: data[position:position + 1] = bytes([chance.randrange(256)])
            case 1: del data[position:position + chance.randint(1, 8)]
            case 2: data[position:position] = data[position:position + chance.randint(1, 16)]
            case 3: data[position:position] = chance.choice([b"\r\n", b"\n", b"\0", b" ", b":", b"\xff\xff", b"99999999999999999999"])
            case 4: del data[max(position, len(data) // 2):]
    return bytes(data)


class Mutations(LoopbackTest):
    weight = 5

    @classmethod
    def setUpClass(cls):
        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        cls.shared = cls.enterClassContext(Proxy(mode="redact", hosts=HOSTS, config={
            "timeouts": {"handshake": "1s", "header": "1s", "response": "1s", "idle": "500ms"}}))
        cls.watched = cls.enterClassContext(Origin(leaf=leaf, address="127.66.0.1"))
        cls.plain = cls.enterClassContext(Origin())

    def tearDown(self):
        self.assertIsNone(self.shared.process.poll(), f"the proxy died: {self.shared.errors[-20:]}")
        self.assertEqual(self.shared.fetch(WATCHED, self.watched.port, "/alive").status, 200)

    def give(self, wire, data):
        """Sends what may be cut short, ends our side, and reads what comes."""
        try:
            wire.sock.settimeout(4)
            wire.send(data)
            if not isinstance(wire.sock, ssl.SSLSocket):
                wire.sock.shutdown(socket.SHUT_WR)
            while wire.fill():
                wire.buffer = b""
                if isinstance(wire.sock, ssl.SSLSocket):
                    break
        except OSError:
            pass

    def test_plain_requests(self):
        """Damaged requests on the proxy port."""
        chance = random.Random(1)
        host = f"{OUTSIDE}:{self.plain.port}"
        examples = [
            f"GET http://{host}/a?b=c HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n",
            f"POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello",
            f"POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
            f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: zh-TW\r\n\r\n",
            "GET http://tidewaiter.internal/?lang=en HTTP/1.1\r\nHost: tidewaiter.internal\r\n\r\n"]
        for _ in range(COUNT):
            with self.shared.dial() as wire:
                self.give(wire, damaged(chance.choice(examples).encode(), chance))

    def test_hellos(self):
        """Damaged ClientHellos in a tunnel."""
        chance = random.Random(2)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.shared.context(alpn=["h2", "http/1.1"]).wrap_bio(incoming, outgoing, server_hostname=WATCHED)
        with self.assertRaises(ssl.SSLWantReadError):
            session.do_handshake()
        hello = outgoing.read()
        for _ in range(COUNT // 3):
            answer, wire = self.shared.connect(f"{WATCHED}:{self.watched.port}")
            with wire:
                self.assertEqual(answer.status, 200)
                self.give(wire, damaged(hello, chance))

    def test_requests_in_tls(self):
        """Damaged requests with identifiers and codings inside the tunnel, under a redact rule; no whole identifier arrives."""
        # fifteen handshakes at once of Python's take longer than the second that damaged hellos have
        proxy = self.proxy(mode="redact", hosts=HOSTS, config={"timeouts": {"idle": "500ms"}})
        chance = random.Random(3)
        host = f"{WATCHED}:{self.watched.port}"
        document = json.dumps({"imei": IMEI, "tel": OWN, "n": [1, 2, {"x": "\u00e9"}]}).encode()
        packed = gzip.compress(document, mtime=0)
        examples = [
            f"POST /j?imei={IMEI} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(document)}\r\n\r\n".encode() + document,
            f"POST /g HTTP/1.1\r\nHost: {host}\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed,
            f"POST /c HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nCookie: imei={IMEI}\r\n\r\n".encode()
            + b"10\r\n" + document[:16] + b"\r\n%x\r\n" % (len(document) - 16) + document[16:] + b"\r\n0\r\n\r\n"]

        def one(data):
            with proxy.tunnel(WATCHED, self.watched.port) as wire:
                self.give(wire, data)

        # a body that lacks bytes waits for the idle time: side by side they cost it once
        with concurrent.futures.ThreadPoolExecutor(15) as pool:
            list(pool.map(one, [damaged(chance.choice(examples), chance) for _ in range(COUNT)]))
        self.assertNotIn(b'"' + IMEI.encode() + b'"', self.watched.received)
        self.assertEqual(proxy.fetch(WATCHED, self.watched.port, "/alive").status, 200)

    def test_responses(self):
        """Damaged responses of a server."""
        chance = random.Random(4)
        examples = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello" * 50, mtime=0)]

        def handler(exchange):
            exchange.send(damaged(chance.choice(examples), chance))
            return False

        server = self.origin(handler)
        host = f"{OUTSIDE}:{server.port}"
        for _ in range(COUNT // 2):
            with self.shared.dial() as wire:
                self.give(wire, f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
