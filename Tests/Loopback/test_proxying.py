"""Traffic passes as it was sent: HTTP/1.x in every shape that devices use."""

import concurrent.futures
import http.client
import socket
import ssl
import subprocess
import time

import pki
from harness import LoopbackTest, Proxy, environment_with, eventually
from origins import Nginx, Origin, pattern
from wire import Truncated

NAME = "origin.example"


class Proxying(LoopbackTest):
    weight = 8

    @classmethod
    def setUpClass(cls):
        leaf = pki.shared().leaf(NAME, "other.example")
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1", "other.example": "127.0.0.1"}))
        cls.server = cls.enterClassContext(Origin(leaf=leaf))
        cls.plain = cls.enterClassContext(Origin())

    def tunnel(self, server=None):
        return self.enterContext(self.shared.tunnel(NAME, (server or self.server).port))

    def get(self, wire, path, **arguments):
        return wire.request("GET", path, f"{NAME}:{self.server.port}", **arguments)

    # Real clients, a real server.

    def test_curl(self):
        """curl fetches a file from nginx over TLS and verifies the proxy's leaf."""
        self.need("nginx", "curl")
        nginx = self.enterContext(Nginx(pki.shared().leaf(NAME)))
        (nginx.root / "file.bin").write_bytes(pattern(100_000))
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--proxy", self.shared.url,
             "--cacert", self.shared.path / "certs/ca.crt", f"https://{NAME}:{nginx.port}/file.bin"],
            capture_output=True, timeout=20, env=environment_with())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, pattern(100_000))

    def test_keep_alive(self):
        """Many requests of http.client in one tunnel use one connection to nginx."""
        self.need("nginx")
        nginx = self.enterContext(Nginx(pki.shared().leaf(NAME)))
        for number in range(20):
            (nginx.root / f"{number}.txt").write_text(f"file {number}")
        client = http.client.HTTPSConnection(
            "127.0.0.1", self.shared.port, context=self.shared.context(), timeout=20)
        self.addCleanup(client.close)
        client.set_tunnel(NAME, nginx.port)
        for number in range(20):
            client.request("GET", f"/{number}.txt")
            response = client.getresponse()
            self.assertEqual((response.status, response.read()), (200, f"file {number}".encode()))
        log = eventually(lambda: [line for line in nginx.log() if len(nginx.log()) >= 20])
        self.assertEqual(len({line[0] for line in log}), 1, log)

    # Bodies.

    def test_chunked(self):
        """A chunked upload arrives whole and a chunked answer comes back whole."""
        wire = self.tunnel()
        body = pattern(60_000)
        wire.send(f"POST /chunked HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(body), 999):
            piece = body[start:start + 999]
            wire.send(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
        wire.send(b"0\r\n\r\n")
        answer = wire.response()
        self.assertTrue(answer.is_chunked)
        self.assertEqual(answer.body, body)

    def test_large_both_ways(self):
        """5 MiB up and down arrive byte for byte."""
        body = pattern(5 << 20)
        answer = self.tunnel().request("POST", "/echo", f"{NAME}:{self.server.port}", body)
        self.assertEqual(len(answer.body), len(body))
        self.assertTrue(answer.body == body)

    def test_without_body(self):
        """HEAD, 204 and 304 have no body, whatever their fields say, and the connection goes on."""
        wire = self.tunnel()
        head = wire.request("HEAD", "/head", f"{NAME}:{self.server.port}")
        self.assertEqual((head.status, head.get("Content-Length")), (200, "12345"))
        for status in (204, 304):
            answer = self.get(wire, f"/{status}")
            self.assertEqual((answer.status, answer.get("ETag")), (status, '"t"'))
        self.assertEqual(self.get(wire, "/after").body, b"GET /after")

    def test_trailers(self):
        """Trailer fields pass in both directions."""
        wire = self.tunnel()
        wire.send(f"POST /trailers?up HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nTransfer-Encoding: chunked\r\n"
                  "Trailer: X-Up\r\n\r\n3\r\nabc\r\n0\r\nX-Up: yes\r\n\r\n".encode())
        answer = wire.response()
        self.assertEqual(answer.body, b"hello")
        self.assertEqual(answer.trailers, [("X-Digest", "5d41402a")])
        seen = [request for request in self.server.requests if request.target == "/trailers?up"]
        self.assertEqual(seen[0].trailers, [("X-Up", "yes")])

    def test_to_the_end(self):
        """A body that ends with the connection arrives whole, and its end is an end."""
        answer = self.get(self.tunnel(), "/to-the-end")
        self.assertEqual(answer.body, pattern(50_000))

    def test_head_is_kept(self):
        """Field names, values, order and repetition arrive as they were sent; hop-by-hop fields do not."""
        wire = self.tunnel()
        self.get(wire, "/kept?a=%7E&b=c%20d+e", fields=[
            ("X-oDD-cASE", "one"), ("Accept-Encoding", "gzip, br"), ("x-odd-case", "two  spaces"),
            ("Cookie", "a=b; c=\"d\""), ("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"),
            ("Proxy-Connection", "keep-alive")])
        seen = [request for request in self.server.requests if request.target.startswith("/kept")][0]
        self.assertEqual(seen.start, "GET /kept?a=%7E&b=c%20d+e HTTP/1.1")
        kept = [field for field in seen.fields if field[0].lower() != "connection"]
        self.assertEqual(kept, [
            ("Host", f"{NAME}:{self.server.port}"), ("X-oDD-cASE", "one"), ("Accept-Encoding", "gzip, br"),
            ("x-odd-case", "two  spaces"), ("Cookie", "a=b; c=\"d\"")])

    # Dialogue.

    def test_continue(self):
        """A client that waits for 100-continue gets it, sends its body, and gets its answer."""
        wire = self.tunnel()
        wire.send(f"POST /continue HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nExpect: 100-continue\r\n"
                  "Content-Length: 7\r\n\r\n".encode())
        self.assertEqual(wire.head().status, 100)
        wire.send(b"patient")
        self.assertEqual(wire.response().body, b"patient")

    def test_no_thanks(self):
        """A final answer to Expect: 100-continue arrives although the body was never sent."""
        wire = self.tunnel()
        wire.send(f"POST /no-thanks HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\nExpect: 100-continue\r\n"
                  "Content-Length: 7\r\n\r\n".encode())
        self.assertEqual(wire.response().status, 417)

    def test_http_1_0(self):
        """An HTTP/1.0 client gets an answer without chunks, and then the end."""
        wire = self.tunnel()
        wire.send(f"GET /chunked?30000 HTTP/1.0\r\nHost: {NAME}:{self.server.port}\r\n\r\n".encode())
        answer = wire.response()
        self.assertFalse(answer.is_chunked)
        self.assertEqual(answer.body, pattern(30_000))
        self.assertTrue(wire.is_at_end())

    def test_pipelined(self):
        """Pipelined requests are answered in their order."""
        wire = self.tunnel()
        host = f"{NAME}:{self.server.port}"
        wire.send("".join(f"GET /line/{number} HTTP/1.1\r\nHost: {host}\r\n\r\n" for number in range(10)).encode())
        self.assertEqual([wire.response().body for _ in range(10)],
                         [f"GET /line/{number}".encode() for number in range(10)])

    def test_connection_close(self):
        """After an answer to a request with Connection: close the tunnel ends."""
        wire = self.tunnel()
        self.assertEqual(self.get(wire, "/last", fields=[("Connection", "close")]).body, b"GET /last")
        self.assertTrue(wire.is_at_end())

    def test_split_hello(self):
        """A ClientHello that comes in segments of one byte is understood."""
        answer, wire = self.shared.connect(f"{NAME}:{self.server.port}")
        self.addCleanup(wire.close)
        self.assertEqual(answer.status, 200)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.shared.context().wrap_bio(incoming, outgoing, server_hostname=NAME)
        with self.assertRaises(ssl.SSLWantReadError):
            session.do_handshake()
        for byte in outgoing.read():
            wire.send(bytes([byte]))
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.send(outgoing.read())
                incoming.write(wire.sock.recv(65536))
        session.write(f"GET /split HTTP/1.1\r\nHost: {NAME}:{self.server.port}\r\n\r\n".encode())
        wire.send(outgoing.read())
        text = b""
        while b"GET /split" not in text:
            data = wire.sock.recv(65536)
            self.assertTrue(data, text)
            incoming.write(data)
            try:
                text += session.read(65536)
            except ssl.SSLWantReadError:
                continue

    def test_head_in_single_bytes(self):
        """A CONNECT that comes byte by byte is understood."""
        wire = self.enterContext(self.shared.dial())
        for byte in f"CONNECT {NAME}:{self.server.port} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode():
            wire.send(bytes([byte]))
        self.assertEqual(wire.response("CONNECT").status, 200)

    # Plain HTTP.

    def test_absolute_form(self):
        """One connection takes plain requests to two hosts, each in origin-form to its own server."""
        other = self.origin()
        wire = self.enterContext(self.shared.dial())
        for name, server in ((NAME, self.plain), ("other.example", other), (NAME, self.plain)):
            host = f"{name}:{server.port}"
            answer = wire.request("GET", f"http://{host}/plain?{name}", host)
            self.assertEqual(answer.body, f"GET /plain?{name}".encode())
        self.assertEqual([request.get("Host") for request in other.requests], [f"other.example:{other.port}"])

    def test_plain_upload(self):
        """A plain upload arrives byte for byte."""
        wire = self.enterContext(self.shared.dial())
        host = f"{NAME}:{self.plain.port}"
        self.assertEqual(wire.request("POST", f"http://{host}/echo", host, pattern(300_000)).body, pattern(300_000))

    def test_half_close(self):
        """A client that ends its side after its request still gets the answer."""
        wire = self.enterContext(self.shared.dial())
        host = f"{NAME}:{self.plain.port}"
        wire.send(f"GET http://{host}/half HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        wire.sock.shutdown(socket.SHUT_WR)
        self.assertEqual(wire.response().body, b"GET /half")

    def test_many_at_once(self):
        """A hundred tunnels at once each get their own answers."""
        def one(number):
            with self.shared.tunnel(NAME, self.server.port) as wire:
                for turn in range(4):
                    body = f"{number}/{turn}/".encode() * 500
                    if wire.request("POST", "/echo", f"{NAME}:{self.server.port}", body).body != body:
                        return False
            return True

        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            self.assertTrue(all(pool.map(one, range(100))))

    def test_head_below_the_limit(self):
        """A head of 60 KB passes: it is below the limit."""
        value = "v" * 60_000
        self.get(self.tunnel(), "/large-cookie", fields=[("Cookie", value)])
        seen = [request for request in self.server.requests if request.target == "/large-cookie"][0]
        self.assertEqual(seen.get("Cookie"), value)

    def test_ipv6(self):
        """Listener, server and literal may all be IPv6."""
        server = self.tls_origin("six.example", "::1", address="::1")
        proxy = self.proxy(hosts={"six.example": "::1"}, config={
            "listen": {"proxy": ["127.0.0.1:0", "[::1]:0"]}, "upstream": {"allow_special_use": ["loopback"]}})
        self.assertEqual(proxy.fetch("six.example", server.port, "/named").body, b"GET /named")
        answer, wire = proxy.connect(f"[::1]:{server.port}")
        with wire:
            self.assertEqual(answer.status, 200)
            wire.sock = proxy.context().wrap_socket(wire.sock, server_hostname="::1")
            self.assertEqual(wire.request("GET", "/literal", f"[::1]:{server.port}").body, b"GET /literal")

    # What goes wrong on the way.

    def test_cut_length(self):
        """An answer cut within its Content-Length never looks complete to the client."""
        wire = self.tunnel()
        with self.assertRaises((Truncated, ssl.SSLError, ConnectionError)):
            self.get(wire, "/cut-length")

    def test_cut_chunk(self):
        """A chunked answer that is cut never gets a last chunk."""
        wire = self.tunnel()
        with self.assertRaises((Truncated, ssl.SSLError, ConnectionError)):
            self.get(wire, "/cut-chunk")

    def test_cut_plain(self):
        """A cut answer over plain HTTP is cut for the client too."""
        wire = self.enterContext(self.shared.dial())
        host = f"{NAME}:{self.plain.port}"
        with self.assertRaises((Truncated, ConnectionError)):
            wire.request("GET", f"http://{host}/cut-length", host)

    def test_no_answer(self):
        """An origin that closes without answering gives 502, and the flow says why."""
        wire = self.tunnel()
        answer = self.get(wire, "/silent-end")
        self.assertEqual(answer.status, 502)
        self.assertIn("tidewaiter", answer.get("Proxy-Status", ""))
        self.assertTrue(self.shared.flow_of("/silent-end")["error"])

    def test_client_aborts(self):
        """A client that aborts in the middle of an upload ends the upstream connection too, never completing it."""
        leaf = pki.shared().leaf(NAME)
        server = self.enterContext(Origin(leaf=leaf))
        wire = self.tunnel(server)
        wire.send(f"POST /echo HTTP/1.1\r\nHost: {NAME}:{server.port}\r\nContent-Length: 100000\r\n\r\n".encode() + b"x" * 500)
        self.assertTrue(eventually(lambda: server.requests))
        wire.abort()
        self.assertTrue(eventually(lambda: server.connections[0].error))
        self.assertEqual(self.shared.fetch(NAME, self.server.port, "/alive").status, 200)

    def test_slow_reader(self):
        """A reader that stops holds the origin back instead of filling the proxy's memory."""
        sent = []

        def handler(exchange):
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (96 << 20))
            piece = pattern(1 << 20)
            for number in range(96):
                exchange.send(piece)
                sent.append(time.monotonic())

        server = self.tls_origin(NAME, handler=handler)
        proxy = self.proxy(mode="observe", hosts={NAME: "127.0.0.1"})
        before = proxy.resident_bytes()
        with proxy.tunnel(NAME, server.port) as wire:
            wire.send(f"GET /large HTTP/1.1\r\nHost: {NAME}:{server.port}\r\n\r\n".encode())
            self.assertEqual(wire.head().status, 200)
            # the origin comes to a stand with most of the body unsent: what the sockets' buffers take is a few MiB
            self.assertTrue(eventually(lambda: sent and time.monotonic() - sent[-1] > 0.7))
            self.assertLess(len(sent), 64)
            self.assertLess(proxy.resident_bytes() - before, 48 << 20)
            wire.abort()
        self.assertTrue(eventually(lambda: server.connections[0].error))

    def test_large_body_in_bounded_memory(self):
        """24 MiB stream through in record mode in bounded memory."""
        server = self.enterContext(Origin(leaf=pki.shared().leaf(NAME)))
        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        self.assertEqual(proxy.fetch(NAME, server.port, "/warm").status, 200)
        before = proxy.resident_bytes()
        peak = before
        with proxy.tunnel(NAME, server.port) as wire:
            wire.send(f"GET /bytes?{24 << 20} HTTP/1.1\r\nHost: {NAME}:{server.port}\r\n\r\n".encode())
            size = int(wire.head().get("Content-Length"))
            while size > 0:
                size -= len(wire.exactly(min(size, 1 << 20)))
                peak = max(peak, proxy.resident_bytes())
        self.assertLess(peak - before, 40 << 20)
