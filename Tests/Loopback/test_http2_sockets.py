"""WebSocket over HTTP/2 (RFC 8441), where both sides offer it."""

import struct

import http2
from harness import eventually
from http2_test import NAME, HTTP2Test
from identifiers import IMEI
from sockets import CLOSE, TEXT, Frame, RawSocket
from wire import Truncated


class StreamWire:
    """A stream's content as a wire to read a WebSocket's frames from."""

    def __init__(self, stream):
        self.stream = stream
        self.done = 0

    def exactly(self, count, what):
        if not self.stream.wait(lambda: len(self.stream.body) >= self.done + count, 20):
            raise Truncated(what)
        piece = bytes(self.stream.body[self.done:self.done + count])
        self.done += count
        return piece

    def send(self, data):
        self.stream.send(data)


def answer(stream):
    """A server that sends each message back in upper case, and each close as it is."""
    if stream.get(":method") != "CONNECT":
        return stream.reply(body=b"plain")
    stream.send_head([(":status", "200")])
    socket = RawSocket(StreamWire(stream), is_client=False)
    while (frame := socket.frame()) is not None:
        if frame.opcode == CLOSE:
            socket.send(CLOSE, frame.payload)
            break
        socket.send(frame.opcode, frame.payload.upper())
    stream.send(b"", end=True)


class HTTP2Sockets(HTTP2Test):
    """Extended CONNECT: a WebSocket as a stream among others."""

    def opened(self, device, authority):
        stream = device.open()
        stream.send_head([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", authority),
                          (":path", "/socket"), ("sec-websocket-version", "13")])
        return stream

    def test_messages(self):
        """A WebSocket over HTTP/2 carries messages both ways, what is in them is found, and other streams go on."""
        server = self.server_of(answer, own_settings={http2.ENABLE_CONNECT_PROTOCOL: 1})
        device = self.device(server)
        authority = f"{NAME}:{server.port}"
        self.assertTrue(device.wait(lambda: device.peer_settings.get(http2.ENABLE_CONNECT_PROTOCOL) == 1), device.peer_settings)
        stream = self.opened(device, authority)
        self.assertEqual(stream.head().status, 200, stream.state())
        socket = RawSocket(StreamWire(stream), is_client=True)
        for text in (b"first", b"imei=" + IMEI.encode()):
            socket.send(TEXT, text)
            self.assertEqual(socket.frame(), Frame(TEXT, text.upper()))
            self.assertEqual(bytes(device.fetch(authority, "/beside").body), b"plain")
        farewell = struct.pack(">H", 1000) + b"bye"
        socket.send(CLOSE, farewell)
        stream.send(b"", end=True)
        self.assertEqual(socket.frame(), Frame(CLOSE, farewell))
        stream.whole()
        flow = self.shared.flow_of("/socket")
        self.assertEqual(flow["protocol"], "websocket")
        found = eventually(lambda: [finding for finding in self.shared.findings() if finding["flow"] == flow["flow"]])
        self.assertEqual({finding["location"] for finding in found}, {"websocket"})

    def test_not_offered(self):
        """Where the server does not offer it, the device is not offered it."""
        device = self.device()
        self.assertEqual(device.fetch(self.authority, "/no-offer").status, 200)
        self.assertNotEqual(device.peer_settings.get(http2.ENABLE_CONNECT_PROTOCOL), 1)
