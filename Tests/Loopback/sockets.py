"""WebSockets: raw ones for peers that must make and see every frame (RFC 6455), and an echo of a library's."""

import base64
import hashlib
import json
import os
import ssl
import struct
import threading
import zlib
from typing import NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

from harness import LoopbackTest, eventually, lines_of
from wire import Truncated

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
COMPRESSED = 4  # RSV1 of the three reserved bits
TAIL = b"\x00\x00\xff\xff"


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    is_final: bool = True
    reserved: int = 0
    is_masked: bool = False

    @property
    def code(self):
        """A close frame's code; None if it has none."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else None


def xor(payload, mask):
    if not payload:
        return b""
    key = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


def frame_bytes(opcode, payload=b"", final=True, reserved=0, mask=None, length=None):
    """One frame; `length` lies about the payload's."""
    size = len(payload) if length is None else length
    first, masked = (0x80 if final else 0) | reserved << 4 | opcode, 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", first, masked | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    return head + (mask + xor(payload, mask) if mask else payload)


def acceptance(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


class RawSocket:
    """One end of an open WebSocket: what is asked for is sent, what comes is told, nothing is repaired."""

    def __init__(self, wire, is_client, answer=None):
        self.wire, self.is_client, self.answer = wire, is_client, answer

    def bytes_of(self, opcode, payload=b"", final=True, reserved=0):
        return frame_bytes(opcode, payload, final, reserved, os.urandom(4) if self.is_client else None)

    def send(self, opcode, payload=b"", final=True, reserved=0):
        self.wire.send(self.bytes_of(opcode, payload, final, reserved))

    def close(self, code=None, reason=""):
        self.send(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())

    def frame(self):
        """The next frame; None at the end of the stream."""
        try:
            first, second = self.wire.exactly(2, "a frame")
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self.wire.exactly(2 if size == 126 else 8, "a frame"), "big")
            mask = self.wire.exactly(4, "a frame") if second & 0x80 else None
            payload = self.wire.exactly(size, "a frame")
        except (Truncated, ssl.SSLError, ConnectionError):
            return None
        return Frame(first & 0x0F, xor(payload, mask) if mask else payload, bool(first & 0x80), first >> 4 & 7, bool(mask))

    def frames(self, count=None):
        """The next frames: `count` of them, or all up to and with a close frame, or the end."""
        found = []
        while len(found) != count and (frame := self.frame()) is not None:
            found.append(frame)
            if frame.opcode == CLOSE:
                break
        return found


class Deflate:
    """Compresses and inflates the messages of one direction with one window (RFC 7692 §7.2)."""

    def __init__(self, bits=15):
        self.out, self.into = zlib.compressobj(wbits=-bits), zlib.decompressobj(-bits)

    def deflated(self, message):
        data = self.out.compress(message) + self.out.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(TAIL)

    def inflated(self, payload):
        return self.into.decompress(payload + TAIL)


def upgrade_fields(fields=(), key=None):
    return [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key or base64.b64encode(os.urandom(16)).decode()), *fields]


def opened(wire, target, host, fields=()):
    """A client's handshake; the open socket, or the answer that is not 101."""
    asked = upgrade_fields(fields)
    answer = wire.request("GET", target, host, fields=asked)
    if answer.status != 101:
        return answer
    if answer.get("Sec-WebSocket-Accept") != acceptance(dict(asked)["Sec-WebSocket-Key"]):
        raise AssertionError(f"a 101 that does not accept our key: {answer.fields}")
    return RawSocket(wire, True, answer)


def accepted(exchange, fields=(), behind=b""):
    """A server's handshake; `behind` is sent with it in one piece."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Accept: {acceptance(exchange.request.get('Sec-WebSocket-Key'))}"]
    lines += [f"{name}: {value}" for name, value in fields]
    exchange.send("\r\n".join(lines).encode() + b"\r\n\r\n" + behind)
    return RawSocket(exchange.wire, False)


def speaking(script, fields=()):
    """An origin's handler: a WebSocket on which `script` is run."""
    def handler(exchange):
        script(accepted(exchange, fields))
        return False
    return handler


def collecting(frames, fields=()):
    """A handler that keeps all frames and answers a close."""
    def script(socket):
        while (frame := socket.frame()) is not None:
            frames.append(frame)
            if frame.opcode == CLOSE:
                return socket.send(CLOSE, frame.payload)
    return speaking(script, fields)


class EchoServer:
    """The `websockets` library's server: it sends each message back, and keeps it."""

    def __init__(self, leaf=None, address="127.0.0.1", compression="deflate"):
        self.messages, self.extensions, self.closed = [], [], []
        context = None
        if leaf:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, leaf))
        self.server = serve(self.handle, address, 0, ssl=context, compression=compression, max_size=None, ping_interval=None)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def handle(self, connection):
        self.extensions.append([extension.name for extension in connection.protocol.extensions])
        try:
            while True:
                message = connection.recv()
                self.messages.append(message)
                connection.send(message)
        except ConnectionClosed as end:
            self.closed.append(end.rcvd and (end.rcvd.code, end.rcvd.reason))

    def close(self):
        self.server.shutdown()
        self.thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class WebSocketTest(LoopbackTest):
    """Ways to a WebSocket through a proxy, by the library and by hand."""

    shared = None

    def tearDown(self):
        if self.shared:
            self.assertIsNone(self.shared.process.poll(), "the proxy died of it")

    def library(self, proxy, server, target="/", scheme="wss", name="origin.example", **options):
        """The `websockets` library's client, through CONNECT."""
        if scheme == "wss":
            options["ssl"] = proxy.context()
        return self.enterContext(connect(
            f"{scheme}://{name}:{server.port}{target}", proxy=proxy.url, max_size=None, ping_interval=None, **options))

    def tunnelled(self, proxy, server, name="origin.example"):
        wire = self.enterContext(proxy.tunnel(name, server.port))
        return wire, f"{name}:{server.port}"

    def raw(self, proxy, server, target="/", fields=(), name="origin.example"):
        """An open WebSocket by hand."""
        wire, host = self.tunnelled(proxy, server, name)
        socket = opened(wire, target, host, fields)
        self.assertIsInstance(socket, RawSocket, getattr(socket, "start", None))
        return socket

    def events(self, proxy, kind):
        return [event for line in lines_of(proxy.case) if (event := json.loads(line))["type"] == kind]

    def found(self, proxy, flow, count):
        """The findings of a flow, once there are `count`."""
        rows = eventually(lambda: [rows for rows in [
            [finding for finding in proxy.findings() if finding["flow"] == flow["flow"]]] if len(rows) >= count])
        self.assertTrue(rows, proxy.findings())
        return rows[0]
