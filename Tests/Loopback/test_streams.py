"""Event streams and other long bodies: what is sent arrives while the rest is still to come, in each mode."""

import json
import threading

import pki
from harness import RULES_REDACT, LoopbackTest, Proxy, eventually
from identifiers import HOSTS, IMEI, OUTSIDE, WATCHED, luhn, spellings_in
from origins import Origin, close_politely
from wire import Truncated

RULES_ANSWERS = """\
version: 1
rules:
  - id: nothing-from-there
    when: { region: [watched], direction: response, finding: [imei] }
    then: redact
    otherwise: block
"""
MODES = ("observe", "record", "redact", "block")


class Stream:
    """A server whose answer is sent piece by piece, each when the test says so."""

    def __init__(self, test, media="text/event-stream", chunked=True, address="127.66.0.1", fields=()):
        self.queue, self.pieces, self.ready = threading.Semaphore(0), [], threading.Event()
        self.wire, self.ended = None, threading.Event()
        head = [f"HTTP/1.1 200 OK\r\nContent-Type: {media}", *(f"{name}: {value}" for name, value in fields)]
        if chunked:
            head.append("Transfer-Encoding: chunked")

        def handler(exchange):
            exchange.body()
            self.wire = exchange.wire
            exchange.send("\r\n".join(head).encode() + b"\r\n\r\n")
            while self.queue.acquire(timeout=20) and (piece := self.pieces.pop(0)) is not None:
                exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                exchange.send(b"0\r\n\r\n")
                return True
            return close_politely(exchange.wire)

        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        self.server = test.enterContext(Origin(handler, leaf=leaf, address=address))
        test.addCleanup(self.end)

    def send(self, piece):
        self.pieces.append(piece)
        self.queue.release()

    def end(self):
        self.send(None)


class Reader:
    """A client that reads a body as it comes."""

    def __init__(self, test, proxy, stream, target="/events", host=WATCHED):
        self.wire = test.enterContext(proxy.tunnel(host, stream.server.port))
        self.wire.sock.settimeout(8)
        self.wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}:{stream.server.port}\r\nAccept: text/event-stream\r\n\r\n".encode())
        self.answer, self.text = self.wire.head(), b""

    def more(self):
        """The next piece of the body; b"" at its end."""
        if not self.answer.is_chunked:
            if not self.wire.buffer and not self.wire.fill():
                return b""
            piece, self.wire.buffer = self.wire.buffer, b""
            return piece
        size = int(self.wire.until(b"\r\n", "a chunked body").split(b";")[0], 16)
        piece = self.wire.exactly(size)
        self.wire.exactly(2)
        return piece

    def until(self, mark):
        """All of the body so far, once it ends with `mark`."""
        while not self.text.endswith(mark):
            piece = self.more()
            if not piece:
                raise AssertionError(f"ended before {mark}: {self.text[-200:]}")
            self.text += piece
        return self.text

    def to_end(self):
        while piece := self.more():
            self.text += piece
        return self.text


class EventStreams(LoopbackTest):
    """text/event-stream, in every mode."""

    @classmethod
    def setUpClass(cls):
        # the rule is on responses: in redact and block mode it could fire on each event
        # a debug build is slow: what is tested here is not its budget
        config = {"inspect": {"time": "10s"}}
        cls.proxies = {mode: cls.enterClassContext(Proxy(mode=mode, hosts=HOSTS, config=config, rules=RULES_ANSWERS if mode != "block" else
                       RULES_ANSWERS.replace("then: redact\n    otherwise: block", "then: block"))) for mode in MODES}

    def tearDown(self):
        for proxy in self.proxies.values():
            self.assertIsNone(proxy.process.poll(), "the proxy died of it")

    def test_first_event(self):
        """In every mode each event arrives before the next is sent, chunked or to the end of the connection."""
        for mode in MODES:
            for chunked in (True, False):
                with self.subTest(mode=mode, chunked=chunked):
                    stream = Stream(self, chunked=chunked)
                    reader = Reader(self, self.proxies[mode], stream)
                    text = b""
                    for number in range(5):
                        event = b"id: %d\ndata: event number %d\n\n" % (number, number)
                        text += event
                        stream.send(event)
                        self.assertEqual(reader.until(event), text)
                    stream.end()
                    self.assertEqual(reader.to_end(), text)

    def test_first_byte_of_the_answer(self):
        """The head of a stream arrives before its first event, in every mode."""
        for mode in MODES:
            with self.subTest(mode=mode):
                stream = Stream(self)
                self.assertEqual(Reader(self, self.proxies[mode], stream).answer.status, 200)

    def test_ends_of_events(self):
        """In redact mode an event goes on at its blank line, whatever the line ends are."""
        for ends in (b"\n", b"\r\n", b"\r"):
            with self.subTest(ends):
                stream = Stream(self)
                reader = Reader(self, self.proxies["redact"], stream)
                for number in range(3):
                    # of CR LF the last LF may come with the next event: only its CR says that a line ends
                    lines = [b"event: tick", b"data: %d" % number, b"", b""]
                    stream.send(ends.join(lines))
                    reader.until(b"data: %d" % number + ends + ends)
                stream.send(b"data: last, without an end")
                stream.end()
                self.assertTrue(reader.to_end().endswith(b"data: last, without an end"))

    def test_window_at_most(self):
        """A long event passes before its end: at once, or in block mode but for what is held."""
        for mode in ("observe", "record", "block"):
            with self.subTest(mode=mode):
                stream = Stream(self)
                reader = Reader(self, self.proxies[mode], stream)
                stream.send(b"data: " + b"x" * 1_600_000)
                while len(reader.text) < 300_000:
                    reader.text += reader.more()
                stream.send(b"\n\n")
                reader.until(b"x\n\n")

    def test_redacted_event(self):
        """An identifier in an event is replaced, also if the event comes in pieces; its neighbours pass as they were."""
        stream = Stream(self)
        reader = Reader(self, self.proxies["redact"], stream, "/redacted-event")
        stream.send(b"data: first\n\n")
        reader.until(b"data: first\n\n")
        for piece in (b'data: {"imei":"4901542', b'03237518"}\n', b"\ndata: third\n\n"):
            stream.send(piece)
        text = reader.until(b"data: third\n\n")
        stream.end()
        self.assertEqual(spellings_in(reader.to_end()), [])
        number = json.loads(text.split(b"\n\n")[1].removeprefix(b"data: "))["imei"]
        self.assertRegex(number, r"^\d{15}$")
        self.assertTrue(luhn(number))
        self.assertEqual(len(text), len(b'data: first\n\ndata: {"imei":"490154203237518"}\n\ndata: third\n\n'))

    def test_blocked_event(self):
        """An identifier in an event ends the stream in block mode: what came before arrived, it did not, and the end is a cut."""
        stream = Stream(self)
        reader = Reader(self, self.proxies["block"], stream, "/blocked-event")
        stream.send(b"data: first\n\n")
        reader.until(b"data: first\n\n")
        stream.send(f'data: {{"imei":"{IMEI}"}}\n\n'.encode())
        with self.assertRaises((Truncated, OSError)):
            while piece := reader.more():
                reader.text += piece
        self.assertNotIn(IMEI[:4].encode(), reader.text)
        flow = self.proxies["block"].flow_of("/blocked-event")
        self.assertEqual((flow["applied"], flow["rule"]), ("block", "nothing-from-there"))

    def test_found_while_open(self):
        """An identifier in an event is a finding while the stream is still open."""
        proxy = self.proxies["record"]
        stream = Stream(self)
        reader = Reader(self, proxy, stream, "/found-while-open")
        for event in (b"data: one\n\n", f"data: {IMEI}\n\n".encode(), b"data: three\n\n"):
            stream.send(event)
            reader.until(event)
        flow = proxy.flow_of("/found-while-open", ended=False)
        self.assertTrue(eventually(lambda: [finding for finding in proxy.findings() if finding["flow"] == flow["flow"]]))
        self.assertIsNone(proxy.flow_of("/found-while-open", ended=False)["ended"])

    def test_kept_whole(self):
        """The case has a stream's body with all of its events."""
        proxy = self.proxies["record"]
        stream = Stream(self)
        reader = Reader(self, proxy, stream, "/kept-whole")
        for number in range(50):
            stream.send(b"data: %d\n\n" % number)
        stream.end()
        text = reader.to_end()
        flow = proxy.flow_of("/kept-whole")
        kept = proxy.run("show", flow["flow"], "--case", "case", "--body", "response", "--raw", binary_output=True).out
        self.assertEqual(kept, text)

    def test_event_over_the_hold_limit(self):
        """An event that never ends is not held without end: in redact mode it falls to `otherwise: block`."""
        proxy = self.proxies["redact"]
        stream = Stream(self)
        reader = Reader(self, proxy, stream)
        before = proxy.resident_bytes()
        with self.assertRaises((Truncated, OSError)):
            for _ in range(48):
                stream.send(b"x" * (256 << 10))
            stream.send(f"{IMEI}\n\n".encode())
            while piece := reader.more():
                reader.text += piece
        self.assertNotIn(IMEI.encode(), reader.text)
        self.assertLess(proxy.resident_bytes() - before, 32 << 20)

    def test_client_leaves(self):
        """A client that leaves a quiet stream is seen to leave by the server within a second or two."""
        for mode in ("record", "redact"):
            with self.subTest(mode=mode):
                left = threading.Event()

                def handler(exchange):
                    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello\n\n")
                    exchange.wire.to_end()
                    left.set()
                    return False

                server = self.enterContext(Origin(handler, leaf=pki.shared().leaf(WATCHED, OUTSIDE), address="127.66.0.1"))
                with self.proxies[mode].tunnel(WATCHED, server.port) as wire:
                    wire.send(f"GET /quiet HTTP/1.1\r\nHost: {WATCHED}:{server.port}\r\n\r\n".encode())
                    wire.until(b"data: hello\n\n", "the first event")
                self.assertTrue(left.wait(3), "the server still believes in its client")

    def test_quiet_stream(self):
        """A stream may be quiet for longer than a response may take to begin."""
        proxy = self.proxy(mode="redact", hosts=HOSTS, rules=RULES_ANSWERS, config={"timeouts": {"response": "1s", "header": "1s"}})
        stream = Stream(self)
        reader = Reader(self, proxy, stream)
        stream.send(b"data: one\n\n")
        reader.until(b"data: one\n\n")
        threading.Timer(2, stream.send, [b"data: two\n\n"]).start()
        reader.until(b"data: two\n\n")


class Lines(LoopbackTest):
    """Newline-delimited JSON, upwards and downwards."""

    def upload(self, proxy, lines, media="application/x-ndjson", wait=8):
        """Sends each line when the one before has arrived; what arrived, and when it did not, how many had."""
        arrived, count = threading.Semaphore(0), [0]
        bodies = []

        def handler(exchange):
            body = b""
            while (size := int(exchange.wire.until(b"\r\n", "a body"), 16)) > 0:
                body += exchange.wire.exactly(size)
                exchange.wire.exactly(2)
                while body.count(b"\n") > count[0]:
                    count[0] += 1
                    arrived.release()
            exchange.wire.exactly(2)
            exchange.has_read = True
            bodies.append(body)
            exchange.reply()

        server = self.enterContext(Origin(handler, leaf=pki.shared().leaf(WATCHED, OUTSIDE), address="127.66.0.1"))
        with proxy.tunnel(WATCHED, server.port) as wire:
            wire.send(f"POST /lines HTTP/1.1\r\nHost: {WATCHED}:{server.port}\r\nContent-Type: {media}\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n".encode())
            before_the_end = 0
            for line in lines:
                wire.send(b"%x\r\n%s\r\n" % (len(line), line))
                if arrived.acquire(timeout=wait):
                    before_the_end += 1
            seen = bytes(server.received)
            wire.send(b"0\r\n\r\n")
            self.assertEqual(wire.response().status, 200)
        return before_the_end, bodies[0], seen

    LINES = (b'{"n":1}\n', f'{{"imei":"{IMEI}"}}\n'.encode(), b'{"n":3}\n')

    def test_lines_of_a_request(self):
        """Under a redact rule each line of a request goes on when it is complete, without its identifier."""
        proxy = self.proxy(mode="redact", hosts=HOSTS)
        for media in ("application/x-ndjson", "application/jsonl", "application/x-ndjson; charset=utf-8"):
            with self.subTest(media):
                count, body, _ = self.upload(proxy, self.LINES, media)
                self.assertEqual(count, 3)
                self.assertEqual(spellings_in(body), [])
                self.assertEqual(len(body), sum(map(len, self.LINES)))
                self.assertEqual((body.splitlines()[0], body.splitlines()[2]), (b'{"n":1}', b'{"n":3}'))
                self.assertTrue(luhn(json.loads(body.splitlines()[1])["imei"]))

    def test_lines_in_other_modes(self):
        """In observe and record mode lines pass one by one, as they were."""
        lines = [b'{"n":1}\n', b'{"n":2,"pad":"' + b"x" * 500 + b'"}\n', b'{"n":3}\n']
        for mode in ("observe", "record"):
            with self.subTest(mode=mode):
                count, body, _ = self.upload(self.proxy(mode=mode, hosts=HOSTS), lines)
                self.assertEqual((count, body), (3, b"".join(lines)))

    def test_hold_body(self):
        """With `hold: body` not a byte of the body leaves before all of it is there."""
        proxy = self.proxy(mode="redact", hosts=HOSTS, rules=RULES_REDACT.replace("then: redact", "then: redact\n    hold: body"))
        count, body, seen = self.upload(proxy, self.LINES, wait=0.4)
        self.assertEqual(count, 0)
        self.assertNotIn(b'"n":1', seen)
        self.assertEqual(spellings_in(body), [])
        self.assertEqual(len(body), sum(map(len, self.LINES)))

    def test_lines_of_an_answer(self):
        """Under a redact rule for responses each line of an answer arrives before the next is sent."""
        proxy = self.proxy(mode="redact", hosts=HOSTS, rules=RULES_ANSWERS)
        stream = Stream(self, "application/x-ndjson")
        reader = Reader(self, proxy, stream, "/watch")
        for number in range(4):
            stream.send(b'{"n":%d}\n' % number)
            reader.until(b'{"n":%d}\n' % number)
        stream.send(self.LINES[1] + b'{"n":"last"}\n')
        text = reader.until(b'{"n":"last"}\n')
        self.assertEqual(spellings_in(text), [])
        self.assertTrue(luhn(json.loads(text.splitlines()[4])["imei"]))

    def test_long_body_without_units(self):
        """In record mode the first bytes of any long body arrive before its last are sent."""
        proxy = self.proxy(mode="record", hosts=HOSTS)
        stream = Stream(self, "application/octet-stream")
        reader = Reader(self, proxy, stream, "/download")
        stream.send(b"\x00first\xff")
        self.assertEqual(reader.until(b"\x00first\xff"), b"\x00first\xff")
