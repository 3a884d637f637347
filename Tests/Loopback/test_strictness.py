"""HTTP/1.1 where two parsers could differ (RFC 9110, 9112): refused and recorded, and nothing of it passes."""

import json

import pki
from harness import LoopbackTest, Proxy, eventually, lines_of
from origins import Origin
from wire import Truncated

NAME, OTHER = "origin.example", "other.example"
TAIL = b"\r\n\r\n"


class StrictTest(LoopbackTest):
    """A proxy in record mode and a TLS server that keeps all it gets."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1", OTHER: "127.0.0.1"}))
        cls.leaf = pki.shared().leaf(NAME, OTHER)
        cls.server = cls.enterClassContext(Origin(leaf=cls.leaf))
        cls.host = f"{NAME}:{cls.server.port}"

    def tearDown(self):
        self.assertIsNone(self.shared.process.poll(), "the proxy died of it")

    def tunnel(self, server=None):
        wire = self.enterContext(self.shared.tunnel(NAME, (server or self.server).port))
        wire.sock.settimeout(8)
        return wire

    def answers(self, data, server=None):
        """Statuses of all the answers to some bytes, until the proxy closes or has nothing more to say."""
        wire, found = self.tunnel(server), []
        try:
            wire.send(data)
            found.append(wire.response().status)
            wire.sock.settimeout(1)
            while True:
                found.append(wire.response().status)
        except (OSError, Truncated, ValueError):
            return found
        finally:
            wire.close()


class Requests(StrictTest):
    """What a device sends."""

    def assertRefused(self, name, lines, body=b"", statuses=(400,), request="POST /{0} HTTP/1.1"):
        """The request is answered so, and neither it nor what is hidden behind it reaches the server."""
        word = "refused-" + name.replace(" ", "-")
        head = b"\r\n".join([request.format(word).encode("latin-1"), f"Host: {self.host}".encode(), *lines])
        smuggled = f"GET /smuggled-{word} HTTP/1.1\r\nHost: {self.host}".encode() + TAIL
        with self.subTest(name):
            answers = self.answers(head + TAIL + body + smuggled)
            self.assertEqual(len(answers), 1, answers)
            self.assertIn(answers[0], statuses)
            self.assertNotIn(word.encode(), self.server.received)

    def test_lengths(self):
        """A Content-Length that is not one decimal number is 400."""
        for name, lines in {
            "list": [b"Content-Length: 4, 4"], "two": [b"Content-Length: 4", b"content-length: 5"],
            "empty": [b"Content-Length:"], "inner space": [b"Content-Length: 4 4"], "plus": [b"Content-Length: +4"],
            "minus": [b"Content-Length: -4"], "hexadecimal": [b"Content-Length: 0x4"], "underscore": [b"Content-Length: 4_0"],
            "overflow": [b"Content-Length: 18446744073709551620"], "huge": [b"Content-Length: " + b"9" * 400],
            "fraction": [b"Content-Length: 4.0"], "other digits": ["Content-Length: ٤".encode()],
            "line feed": [b"Content-Length: 4\nX: y"], "vertical tab": [b"Content-Length:\x0b4"],
        }.items():
            self.assertRefused("length " + name, lines, b"abcd")

    def test_codings(self):
        """TLS-55: A Transfer-Encoding that is not exactly chunked, or that stands beside a Content-Length, is 400 or 501."""
        for name, lines in {
            "beside a length": [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
            "before a length": [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
            "space before the colon": [b"Transfer-Encoding : chunked"], "tab before the colon": [b"Transfer-Encoding\t: chunked"],
            "vertical tab": [b"Transfer-Encoding:\x0bchunked"], "quoted": [b'Transfer-Encoding: "chunked"'],
            "parameter": [b"Transfer-Encoding: chunked;q=1"], "twice in a line": [b"Transfer-Encoding: chunked, chunked"],
            "twice": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
            "other first": [b"Transfer-Encoding: x", b"Transfer-Encoding: chunked"],
            "other last": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
            "identity": [b"Transfer-Encoding: identity"], "gzip first": [b"Transfer-Encoding: gzip, chunked"],
            "empty": [b"Transfer-Encoding:", b"Content-Length: 5"], "prefixed": [b"Transfer-Encoding: xchunked"],
            "nul": [b"Transfer-Encoding: chunked\x00"], "folded": [b"Transfer-Encoding:\r\n chunked"],
            "behind a bare line feed": [b"X: y\nTransfer-Encoding: chunked"],
            "behind a bare carriage return": [b"X: y\rTransfer-Encoding: chunked"],
        }.items():
            self.assertRefused("coding " + name, lines, b"0\r\n\r\n", (400, 501))

    def test_coding_in_1_0(self):
        """An HTTP/1.0 request with Transfer-Encoding is 400: its framing is faulty."""
        self.assertRefused("coding in 1.0", [b"Transfer-Encoding: chunked"], b"0\r\n\r\n", (400,), "POST /{0} HTTP/1.0")

    def test_field_lines(self):
        """A field line that breaks the grammar is 400, never repaired."""
        for name, line in {
            "space before the colon": b"X : a", "no colon": b"X a", "no name": b": a", "folded": b"X: a\r\n b",
            "tab folded": b"X: a\r\n\tb",
            "bare carriage return": b"X: a\rb", "bare line feed": b"X: a\nY: b",
            "nul in a value": b"X: a\x00b", "nul in a name": b"X\x00: a",
            "control": b"X: a\x01b", "delete": b"X: a\x7fb", "parenthesis in a name": b"X(a): b", "high byte in a name": b"X\xe9: b",
            "line feed at the end": b"X: a\n", "carriage return twice": b"X: a\r\r\nY: b",
        }.items():
            self.assertRefused("line " + name, [line, b"Content-Length: 0"])
        with self.subTest("leading space"):
            self.assertEqual(self.answers(
                b"GET /refused-leading HTTP/1.1\r\n X: a\r\nHost: " + self.host.encode() + TAIL)[:1], [400])
        with self.subTest("only line feeds"):
            self.assertIn(self.answers(
                b"GET /refused-feeds HTTP/1.1\nHost: " + self.host.encode() + b"\n\n" + TAIL)[:1], ([400], []))
        self.assertNotIn(b"/refused", self.server.received)

    def test_request_lines(self):
        """A request line that breaks the grammar is 400, or 505 for a version that is not ours."""
        for name, request in {
            "two spaces": "GET  /{0} HTTP/1.1", "tab": "GET\t/{0} HTTP/1.1", "trailing space": "GET /{0} HTTP/1.1 ",
            "space in the target": "GET /{0} x HTTP/1.1", "nul in the target": "GET /{0}\x00 HTTP/1.1", "fragment": "GET /{0}#x HTTP/1.1",
            "lower case": "GET /{0} http/1.1", "version 2.0": "GET /{0} HTTP/2.0", "version 1.10": "GET /{0} HTTP/1.10",
            "version 0.9": "GET /{0} HTTP/0.9", "no version": "GET /{0}", "bad method": "G(T /{0} HTTP/1.1", "no slash": "GET {0} HTTP/1.1",
            "leading space": " GET /{0} HTTP/1.1", "bare carriage return": "GET /{0}\r HTTP/1.1",
        }.items():
            self.assertRefused("start " + name, [], statuses=(400, 505), request=request)
        self.assertRefused("connect", [], statuses=(400, 405, 501), request="CONNECT other.example:443 HTTP/1.1")

    def test_hosts(self):
        """A Host that is missing, doubled or malformed is 400, and the request goes nowhere."""
        for name, lines in {"missing": [], "two": [f"Host: {self.host}", f"Host: {OTHER}"], "twice the same": [f"Host: {self.host}"] * 2,
                            "list": [f"Host: {self.host}, {OTHER}"], "user": [f"Host: user@{self.host}"], "path": [f"Host: {self.host}/x"],
                            "space": [f"Host: {self.host} x"], "empty": ["Host:"]}.items():
            with self.subTest(name):
                answers = self.answers("\r\n".join([f"GET /refused-host-{name.replace(' ', '-')} HTTP/1.1", *lines]).encode() + TAIL)
                self.assertIn(answers, ([400], [421]))
        self.assertNotIn(b"/refused-host", self.server.received)

    def test_chunks(self):
        """Chunks that break the grammar are 400 or a cut, and the server never gets a whole request of them."""
        for name, body in {
            "overflow": b"10000000000000005\r\nabcde\r\n0\r\n\r\n", "many digits": b"0" * 40 + b"5\r\nabcde\r\n0\r\n\r\n",
            "letters": b"5g\r\nabcde\r\n0\r\n\r\n", "prefix": b"0x5\r\nabcde\r\n0\r\n\r\n", "plus": b"+5\r\nabcde\r\n0\r\n\r\n",
            "minus": b"-5\r\nabcde\r\n0\r\n\r\n", "leading space": b" 5\r\nabcde\r\n0\r\n\r\n", "inner space": b"5 5\r\nabcde\r\n0\r\n\r\n",
            "empty size": b"\r\nabcde\r\n0\r\n\r\n", "bare line feed": b"5\nabcde\r\n0\r\n\r\n",
            "line feed after data": b"5\r\nabcde\n0\r\n\r\n",
            "too much data": b"5\r\nabcdefgh\r\n0\r\n\r\n", "line feed in an extension": b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
            "carriage return in an extension": b"5;a\rb\r\nabcde\r\n0\r\n\r\n", "nul in an extension": b"5;a\x00\r\nabcde\r\n0\r\n\r\n",
            "endless extension": b"5;" + b"a" * 100_000 + b"\r\nabcde\r\n0\r\n\r\n", "bad trailer": b"0\r\nX : y\r\n\r\n",
            "folded trailer": b"0\r\nX: y\r\n z\r\n\r\n", "bare line feed at the end": b"0\r\n\n",
        }.items():
            with self.subTest(name):
                word = f"/chunks?{name.replace(' ', '-')}"
                head = f"POST {word} HTTP/1.1\r\nHost: {self.host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                answers = self.answers(head + body + f"GET /smuggled HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
                self.assertIn(answers, ([400], []))
                self.assertNotIn(b"/smuggled", self.server.received)
                for connection in self.server.connections:
                    if word.encode() in connection.received:
                        self.assertTrue(eventually(lambda: connection.error), "the server took it for a whole request")

    def test_framing_in_trailers(self):
        """A trailer section cannot bring framing, routing or credentials: such fields are refused or left out."""
        wire = self.tunnel()
        wire.send(f"POST /trailing HTTP/1.1\r\nHost: {self.host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                  "Content-Length: 0\r\nTransfer-Encoding: chunked\r\nHost: other.example\r\n"
                  "Proxy-Authorization: Basic eDp5\r\nX-Good: yes\r\n\r\n".encode())
        try:
            self.assertIn(wire.response().status, (200, 400))
        except (OSError, Truncated):
            pass
        for request in self.server.requests:
            if request.target == "/trailing":
                self.assertEqual([name for name, _ in request.trailers if name != "X-Good"], [])

    def test_recorded(self):
        """A refused request is in the case, with what was wrong with it."""
        server = self.tls_origin(NAME)
        self.assertEqual(self.answers(f"POST /recorded-refusal HTTP/1.1\r\nHost: {NAME}:{server.port}\r\nContent-Length: 3\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(), server), [400])

        def look():
            events = [json.loads(line) for line in lines_of(self.shared.case)]
            ours = {event["connection"] for event in events if event.get("authority") == f"{NAME}:{server.port}"}
            return [event for event in events if event.get("connection") in ours and event.get("error")]
        found = eventually(look)
        self.assertEqual([event["error"]["code"] for event in found], ["ambiguous-framing"])

    def test_http_2_without_asking(self):
        """An HTTP/2 preface where ALPN did not agree on it reaches no HTTP/1 server."""
        self.assertIn(self.answers(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)), ([400], [505], []))
        self.assertNotIn(b"PRI *", self.server.received)


class Passing(StrictTest):
    """What passes, passes as it was sent."""

    def seen(self, path):
        return [request for request in self.server.requests if request.target == path][0]

    def exchange(self, head, answer=None):
        """What the server saw of a request's head, and the client of an answer's."""
        def handler(exchange):
            exchange.body()
            exchange.send(answer or b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        server = self.origin(handler, leaf=self.leaf)
        wire = self.tunnel(server)
        wire.send(head.replace(b"{host}", f"{NAME}:{server.port}".encode()))
        response = wire.response()
        return server.requests[0].raw_head.replace(f"{NAME}:{server.port}".encode(), b"{host}"), response

    def test_bytes_are_kept(self):
        """Order, repetition, case and bytes from 0x80 on are kept in both directions, and nothing is added."""
        request = (b"GET /kept;v=1/%7e?q=%C3%A9&q HTTP/1.1\r\nhOsT: {host}\r\nX-b: 2\r\nX-A: 1\r\nx-b: 3\r\nX-Latin: caf\xe9\r\n"
                   b"X-UTF-8: \xe6\x97\xa5\r\nX-Empty: \r\nX-Inner: a \t b\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n")
        answer = (b"HTTP/1.1 299 Sch\xf6n  so\r\nx-Z: 1\r\nSet-Cookie: a=1; Path=/\r\nX-y: 2\r\nset-cookie: b=2\r\nX-Raw: \xff\x80\r\n"
                  b"Content-Length: 0\r\n\r\n")
        seen, response = self.exchange(request, answer)
        self.assertEqual(seen, request)
        self.assertEqual(response.raw_head, answer)

    def test_hop_by_hop(self):
        """What is for one hop only goes no further, in both directions, but Connection takes nothing away that frames or routes."""
        seen, response = self.exchange(
            b"POST /hop HTTP/1.1\r\nHost: {host}\r\nConnection: close, X-Once, host, content-length, cookie\r\nX-Once: 1\r\n"
            b"Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\nProxy-Authenticate: Basic\r\n"
            b"TE: trailers, deflate\r\nCookie: a=b\r\nX-Stays: 1\r\nContent-Length: 4\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\nConnection: X-Back\r\nX-Back: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic realm=x\r\n"
            b"Upgrade: h2c\r\nX-Stays: 2\r\nContent-Length: 0\r\n\r\n")
        for field in (b"X-Once", b"Keep-Alive", b"Proxy-", b"deflate", b"dXNlcjpwYXNz"):
            self.assertNotIn(field, seen)
        for field in (b"Host: {host}", b"Cookie: a=b", b"Content-Length: 4", b"X-Stays: 1"):
            self.assertIn(field, seen)
        for field in ("X-Back", "Keep-Alive", "Proxy-Authenticate", "Upgrade"):
            self.assertIsNone(response.get(field), field)
        self.assertEqual(response.get("X-Stays"), "2")

    def test_plain_request(self):
        """A plain request in absolute-form goes on in origin-form, with no field added and no credentials."""
        server = self.origin()
        host = f"{NAME}:{server.port}"
        with self.shared.dial() as wire:
            wire.send(f"GET http://{host}/form?x=http://y/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: t\r\n"
                      "Proxy-Authorization: Basic dXNlcjpwYXNz\r\nProxy-Connection: keep-alive\r\n\r\n".encode())
            self.assertEqual(wire.response().status, 200)
        self.assertEqual(server.requests[0].raw_head.decode(),
                         f"GET /form?x=http://y/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: t\r\n\r\n")

    def test_routing(self):
        """TLS-53: Host and an absolute URL inside the tunnel never change where a request goes, also when fronting is only judged."""
        other = self.tls_origin(NAME, OTHER)
        judging = self.proxy(hosts={NAME: "127.0.0.1", OTHER: "127.0.0.1"}, config={"tls": {"fronting": "judge"}})
        for proxy, statuses in ((self.shared, (400, 421)), (judging, (200, 400, 421))):
            for target, host in (("/routed", OTHER), ("/routed", f"{OTHER}:{other.port}"), ("/routed", f"{NAME}:{other.port}"),
                                 (f"https://{OTHER}:{other.port}/routed", f"{OTHER}:{other.port}"),
                                 (f"https://{OTHER}:{other.port}/routed", self.host)):
                with self.subTest(target=target, host=host, judged=proxy is judging), proxy.tunnel(NAME, self.server.port) as wire:
                    wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                    self.assertIn(wire.response().status, statuses)
        self.assertEqual(other.accepted, 0)

    def test_same_place_in_absolute_form(self):
        """An absolute URL inside the tunnel that names the tunnel's own target passes or is refused, and goes nowhere else."""
        for scheme in ("https", "http"):
            wire = self.tunnel()
            wire.send(f"GET {scheme}://{self.host}/own HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
            self.assertIn(wire.response().status, (200, 400, 421))

    def test_other_shapes(self):
        """OPTIONS *, a GET with a body, unusual methods and a leading empty line are legal, and pass."""
        for head, body in ((b"OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n", b""), (b"PURGE /m HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
                           (b"GET /b HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\n", b"abc")):
            with self.subTest(head):
                seen, response = self.exchange(head + body)
                self.assertEqual((seen, response.status), (head, 200))
        # any token is a method (RFC 9110 §9.1), and no way around the parser
        self.exchange(b"X!.Y|2 /any-token HTTP/1.1\r\nHost: {host}\r\n\r\n")
        self.assertEqual(self.shared.flow_of("/any-token")["protocol"], "http/1.1")
        seen, response = self.exchange(b"\r\nGET /e HTTP/1.1\r\nHost: {host}\r\n\r\n")
        self.assertEqual((seen, response.status), (b"GET /e HTTP/1.1\r\nHost: {host}\r\n\r\n", 200))
