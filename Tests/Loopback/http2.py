"""HTTP/2 frame by frame: one end of a connection that is as honest, or as hostile, as a test wants it (RFC 9113)."""

import collections
import select
import socket
import ssl
import struct
import threading

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, ALTSVC = range(11)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITISED = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED) = range(14)
CONNECTION_SPECIFIC = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"}

Frame = collections.namedtuple("Frame", "kind flags stream payload")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in pairs))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code=NO_ERROR):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def window_update(stream, count):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", count))


def number(value, bits, first):
    """An integer with a prefix (RFC 7541, section 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    text, value = bytearray((first | most,)), value - most
    while value >= 128:
        text.append(value % 128 | 128)
        value //= 128
    return bytes((*text, value))


def literal(fields):
    """A header block of literals that touch no table, so that any bytes may stand in it, whatever the state."""
    block = b""
    for name, value in fields:
        for part, first in ((name, b"\0"), (value, b"")):
            part = part.encode("latin-1") if isinstance(part, str) else part
            block += first + number(len(part), 7, 0) + part
    return block


def request(authority, path="/", method="GET", fields=(), scheme="https"):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *fields]


class Gone(Exception):
    """The stream or the connection was over before what a test waited for."""


class Stream:
    """One stream: what came on it, and what is sent on it."""

    def __init__(self, end, identifier):
        self.end = end
        self.id = identifier
        self.fields = []          # of the request, or of the final response
        self.interim = []         # the fields of each informational response
        self.trailers = []
        self.body = bytearray()
        self.has_head = self.is_ended = False
        self.reset = None         # the code of the peer's RST_STREAM
        self.opens_window = end.opens_windows
        self.window = end.peer_settings.get(INITIAL_WINDOW_SIZE, 65535)
        self.credit = end.own_settings.get(INITIAL_WINDOW_SIZE, 65535)
        self.sent = 0
        self.has_ended = False

    # what came

    def get(self, name, default=None):
        return next((value for key, value in self.fields if key == name), default)

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    @property
    def status(self):
        return int(self.get(":status"))

    @property
    def is_over(self):
        return self.is_ended or self.reset is not None or self.end.is_over

    def wait(self, question, wait=10):
        """Waits until `question()` is true, the stream is over, or the time is up; whether it is true."""
        with self.end.changed:
            self.end.changed.wait_for(lambda: question() or self.is_over, wait)
            return question()

    def head(self, wait=10):
        if not self.wait(lambda: self.has_head, wait):
            raise Gone(f"no head on stream {self.id}: {self.state()}")
        return self

    def whole(self, wait=10):
        """This stream once its peer has ended it in order."""
        if not self.wait(lambda: self.is_ended, wait):
            raise Gone(f"stream {self.id} did not end: {self.state()}")
        return self

    def cut(self, wait=10):
        """The code of the reset that the peer sent, also after its own end; None if none came."""
        self.end.wait(lambda: self.reset is not None, wait)
        return self.reset

    def state(self):
        return f"head {self.fields}, {len(self.body)} bytes, reset {self.reset}, connection {self.end.state()}"

    # what is sent

    def send_head(self, fields, end=False):
        self.end.headers(self.id, fields, end)
        self.has_ended |= end

    def reply(self, status=200, body=b"", fields=()):
        fields = [(":status", str(status)), ("content-length", str(len(body))), *fields]
        self.send_head(fields, end=not body)
        if body:
            self.send(body, end=True)

    def send(self, data, end=False, wait=10):
        """Content, as the peer's windows allow."""
        view = memoryview(data)
        while True:
            with self.end.changed:
                ready = self.end.changed.wait_for(
                    lambda: self.reset is not None or self.end.is_over or not view or min(self.window, self.end.window) > 0, wait)
                if self.reset is not None or self.end.is_over:
                    raise Gone(f"sending on stream {self.id}: {self.state()}")
                if not ready:
                    raise TimeoutError(f"no window on stream {self.id} in {wait} s: {self.sent} bytes sent")
                count = min(len(view), max(0, min(self.window, self.end.window)), 16384)
                self.window -= count
                self.end.window -= count
                self.sent += count
                is_last = count == len(view)
                self.end.write(frame(DATA, END_STREAM if end and is_last else 0, self.id, bytes(view[:count])))
            view = view[count:]
            if is_last:
                self.has_ended |= end
                return

    def send_trailers(self, fields):
        self.end.headers(self.id, fields, True)
        self.has_ended = True

    def cancel(self, code=CANCEL):
        self.end.write(rst_stream(self.id, code))
        self.has_ended = True


class Endpoint:
    """One end of a connection. A thread of its own owns the socket; everything that came is kept.

    It acknowledges, opens windows and assembles as RFC 9113 asks, and notes in `violations` where the peer does not
    keep to it. `write` sends any bytes at all. `listed_in` is a list that has it before the peer can hear of it.
    """

    def __init__(self, sock, *, is_client, own_settings=(), on_request=None, opens_windows=True, acknowledges=True,
                 begins=True, listed_in=None):
        self.sock = sock
        self.is_client = is_client
        self.own_settings = dict(own_settings)
        self.on_request = on_request
        self.opens_windows = opens_windows
        self.acknowledges = acknowledges
        self.peer_settings = {}
        self.frames = []              # of every kind but DATA
        self.streams = {}
        self.pongs, self.violations = [], []
        self.given_up = []            # what handlers waited for in vain: their streams stay as they are
        self.goaway = None            # (last stream, code) of the peer's last GOAWAY
        self.goaways = []
        self.window = self.credit = 65535
        self.received_data = 0
        self.is_over = False
        self.error = None             # why the connection ended: "" in order, or what the socket said
        self.reads = True
        self.next_id = 1 if is_client else 2
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_allowed_table_size = self.own_settings.get(HEADER_TABLE_SIZE, 4096)
        self.decoder.max_header_list_size = 1 << 20
        self.block = None             # of the head that CONTINUATION goes on with
        self.changed = threading.Condition(threading.RLock())
        self.output = bytearray()
        self.input = bytearray()
        self.awaits_preface = not is_client
        self.is_closing = False
        self.is_polite = True         # whether TLS is told that it is over
        self.waker, self.woken = socket.socketpair()
        for each in (sock, self.waker, self.woken):
            each.setblocking(False)
        if begins:
            self.write((PREFACE if is_client else b"") + settings(*self.own_settings.items()))
            # a connection as wide as its streams, unless it is about windows
            if opens_windows and (wider := self.own_settings.get(INITIAL_WINDOW_SIZE, 0) - 65535) > 0:
                self.open_window(wider)
        if listed_in is not None:
            listed_in.append(self)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    # sending

    def write(self, data):
        with self.changed:
            self.output += data
        self._wake()

    def _wake(self):
        try:
            self.waker.send(b"w")
        except OSError:
            pass  # over, or woken often enough

    def headers(self, stream, fields, end=False):
        # under one lock: blocks must leave in the order in which the table saw them
        with self.changed:
            self.write(self.block_frames(stream, self.encode(fields), end))

    def encode(self, fields):
        return self.encoder.encode([
            tuple(part.encode("latin-1") if isinstance(part, str) else part for part in field) for field in fields])

    @staticmethod
    def block_frames(stream, block, end=False):
        pieces = [block[start:start + 16384] for start in range(0, len(block), 16384)] or [b""]
        last = len(pieces) - 1
        return b"".join(frame(CONTINUATION if index else HEADERS,
                              (0 if index else END_STREAM * end) | (END_HEADERS if index == last else 0), stream, piece)
                        for index, piece in enumerate(pieces))

    def open(self):
        """A stream that we begin, without its head."""
        with self.changed:
            stream = self.streams[self.next_id] = Stream(self, self.next_id)
            self.next_id += 2
            return stream

    def request(self, authority, path="/", method="GET", body=None, fields=(), end=True):
        """A request; with `end` False the test sends the rest of it."""
        with self.changed:
            stream = self.open()
            stream.send_head(request(authority, path, method, fields), end=end and body is None)
        if body is not None:
            stream.send(body, end=end)
        return stream

    def raw_request(self, fields, flags=END_STREAM | END_HEADERS):
        """A request whose fields are sent as they are."""
        with self.changed:
            stream = self.open()
            self.write(frame(HEADERS, flags, stream.id, literal(fields)))
            return stream

    def flush(self, wait=20):
        """Waits until everything is with the socket, or the connection is over."""
        with self.changed:
            return self.changed.wait_for(lambda: not self.output or self.is_over, wait)

    def ping(self, wait=10):
        """Whether the peer answers: everything sent before has then been read by it."""
        with self.changed:
            payload = struct.pack(">Q", len(self.pongs) + 1)
            self.write(frame(PING, 0, 0, payload))
            self.changed.wait_for(lambda: payload in self.pongs or self.is_over, wait)
            return payload in self.pongs

    # waiting

    def wait(self, question, wait=10):
        with self.changed:
            self.changed.wait_for(lambda: question() or self.is_over, wait)
            return question()

    def wait_over(self, wait=10):
        with self.changed:
            return self.changed.wait_for(lambda: self.is_over, wait)

    def wait_stream(self, path, wait=10):
        """The first stream with a request for `path`."""
        found = []
        self.wait(lambda: found.extend(stream for stream in self.streams.values() if stream.get(":path") == path) or found, wait)
        if not found:
            raise Gone(f"no request for {path}: {self.state()}")
        return found[0]

    def state(self):
        with self.changed:
            over = f"over ({self.error})" if self.is_over else "open"
            return (f"{over}, goaway {self.goaway}, violations {self.violations}, given up {self.given_up[-5:]}, "
                    f"last frames {[f[:3] for f in self.frames[-5:]]}")

    def fetch(self, authority, path="/", **request):
        return self.request(authority, path, **request).whole()

    # the socket's thread

    def _run(self):
        try:
            while not (self.is_closing and not self.output):
                self._turn()
        except (OSError, ValueError, hpack.HPACKError) as error:
            self.error = f"{type(error).__name__}: {error}"
        except EOFError:
            self.error = ""
        finally:
            with self.changed:
                self.is_over = True
                self.changed.notify_all()
            if isinstance(self.sock, ssl.SSLSocket) and self.is_polite:
                try:
                    self.sock.unwrap()  # does not block: our close_notify leaves, the peer's is not waited for
                except (OSError, ValueError):
                    pass
            self.sock.close()
            self.waker.close()
            self.woken.close()

    def _turn(self):
        with self.changed:
            readers = [self.woken] + ([self.sock] if self.reads else [])
            writers = [self.sock] if self.output else []
        has_more = self.reads and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        readable, writable, _ = select.select(readers, writers, [], 0 if has_more else 0.5)
        if self.woken in readable:
            self.woken.recv(4096)
        if self.sock in readable or has_more:
            self._read()
        if self.sock in writable:
            self._write()

    def _read(self):
        try:
            data = self.sock.recv(65536)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        if not data:
            raise EOFError
        with self.changed:
            self.input += data
            self._parse()
            self.changed.notify_all()

    def _write(self):
        with self.changed:
            piece = bytes(self.output[:65536])
        try:
            # a record that OpenSSL could not finish must be offered again as it was: what is appended meanwhile is behind it
            count = self.sock.send(piece)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        with self.changed:
            del self.output[:count]
            self.changed.notify_all()

    # receiving

    def _parse(self):
        if self.awaits_preface:
            if len(self.input) < len(PREFACE):
                return
            if not self.input.startswith(PREFACE):
                raise ValueError(f"no preface: {bytes(self.input[:24])!r}")
            del self.input[:len(PREFACE)]
            self.awaits_preface = False
        while len(self.input) >= 9:
            size = int.from_bytes(self.input[:3], "big")
            if len(self.input) < 9 + size:
                return
            stream = int.from_bytes(self.input[5:9], "big") & 0x7FFFFFFF
            received = Frame(self.input[3], self.input[4], stream, bytes(self.input[9:9 + size]))
            del self.input[:9 + size]
            if size > self.own_settings.get(MAX_FRAME_SIZE, 16384):
                self.violations.append(f"a frame of {size} bytes")
            self._take(received)

    def _take(self, received):
        kind, flags, stream_id, payload = received
        if kind != DATA:
            self.frames.append(received)
        if self.block and kind != CONTINUATION:
            self.violations.append("a header block that something interrupts")
        if kind == DATA:
            self._take_data(received)
        elif kind == HEADERS:
            if flags & PADDED:
                payload = payload[1:len(payload) - payload[0]]
            if flags & PRIORITISED:
                payload = payload[5:]
            self.block = [stream_id, bool(flags & END_STREAM), payload]
        elif kind == CONTINUATION and self.block:
            self.block[2] += payload
        elif kind == RST_STREAM and stream_id in self.streams:
            self.streams[stream_id].reset = int.from_bytes(payload, "big")
        elif kind == SETTINGS:
            self._take_settings(flags, payload)
        elif kind == PING:
            if flags & ACK:
                self.pongs.append(payload)
            elif self.acknowledges:
                self.write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])
            self.goaways.append(self.goaway)
        elif kind == WINDOW_UPDATE:
            count = int.from_bytes(payload, "big")
            if stream_id == 0:
                self.window += count
            elif stream_id in self.streams:
                self.streams[stream_id].window += count
        if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS and self.block:
            block, self.block = self.block, None
            self._take_head(*block)

    def _take_settings(self, flags, payload):
        if flags & ACK:
            return
        for start in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[start:start + 6])
            if name == INITIAL_WINDOW_SIZE:
                for stream in self.streams.values():
                    stream.window += value - self.peer_settings.get(name, 65535)
            elif name == HEADER_TABLE_SIZE:
                self.encoder.header_table_size = min(value, 65536)
            self.peer_settings[name] = value
        if self.acknowledges:
            self.write(frame(SETTINGS, ACK))

    def _take_head(self, stream_id, is_end, block):
        fields = [tuple(bytes(part).decode("latin-1") for part in field) for field in self.decoder.decode(block, raw=True)]
        self._judge(stream_id, fields)
        stream = self.streams.get(stream_id)
        if stream is None:
            if self.is_client:
                self.violations.append(f"a head on stream {stream_id}, which is not open")
                return
            stream = self.streams[stream_id] = Stream(self, stream_id)
        if stream.has_head:
            stream.trailers = fields
            if not is_end:
                self.violations.append("trailers that do not end the stream")
        elif self.is_client and dict(fields).get(":status", "").startswith("1"):
            stream.interim.append(fields)
        else:
            stream.fields, stream.has_head = fields, True
            if self.on_request:
                threading.Thread(target=self._answer, args=(stream,), daemon=True).start()
        stream.is_ended |= is_end

    def _judge(self, stream_id, fields):
        """What RFC 9113, sections 8.2 and 8.3, never allows, whatever the peer's peer sent to it."""
        names = [name for name, _ in fields]
        for name, value in fields:
            if name != name.lower() or name in CONNECTION_SPECIFIC or set(name) & set(" \t\r\n\0") \
                    or set(value) & set("\r\n\0") or value != value.strip(" \t"):
                self.violations.append(f"stream {stream_id}: field {name!r}: {value[:60]!r}")
        pseudo = [name for name in names if name.startswith(":")]
        if names[:len(pseudo)] != pseudo or len(set(pseudo)) != len(pseudo):
            self.violations.append(f"stream {stream_id}: pseudo-fields {names}")

    def _take_data(self, received):
        _, flags, stream_id, payload = received
        size = len(payload)
        self.received_data += size
        self.credit -= size
        if flags & PADDED:
            payload = payload[1:size - payload[0]]
        stream = self.streams.get(stream_id)
        if stream is None or not stream.has_head or stream.is_ended:
            self.violations.append(f"content on stream {stream_id}, which does not take any")
            return
        stream.credit -= size
        if stream.credit < 0 or self.credit < 0:
            self.violations.append(f"content beyond the window of stream {stream_id}")
        if payload:
            stream.body += payload
        stream.is_ended |= bool(flags & END_STREAM)
        if self.opens_windows and size:
            self.open_window(size, stream if stream.opens_window and not stream.is_ended else None)

    def open_window(self, count, stream=None):
        """Lets the peer send as much more, on the connection and on a stream."""
        with self.changed:
            self.credit += count
            self.write(window_update(0, count))
            if stream:
                stream.credit += count
                self.write(window_update(stream.id, count))

    def _answer(self, stream):
        try:
            self.on_request(stream)
        except (Gone, TimeoutError):
            # the device went away, or takes no more: for the test to see, if it is about that
            with self.changed:
                self.given_up.append(f"{stream.get(':path')} with {len(stream.body)} bytes received and {stream.sent} sent")

    # ending

    def close(self):
        """Ends the connection in order: what is to be sent is, and TLS says that it is over."""
        with self.changed:
            self.is_closing = True
        self._wake()
        self.thread.join(5)

    def abort(self):
        """Cuts the connection with a reset."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        with self.changed:
            self.output.clear()
            self.is_polite = False
        self.close()

    def cut_off(self):
        """Ends TCP once all is sent, without a word from TLS."""
        with self.changed:
            self.is_polite = False
        self.close()

    def stop_reading(self):
        """Leaves what comes in the socket's buffer, as a stuck peer does."""
        with self.changed:
            self.reads = False
        self._wake()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
