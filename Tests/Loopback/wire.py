"""HTTP/1.1 as it is on the wire, for peers that must see every byte: no repair, no guessing."""

import socket


class Truncated(Exception):
    """The peer closed before the message that it had begun was complete."""

    def __init__(self, what, received=b""):
        super().__init__(f"closed in {what}, {len(received)} bytes in")
        self.received = received


class Message:
    """One request or response: its head byte for byte, its body without framing."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        lines = raw_head.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.fields = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "")
                       for line in lines[1:] if line]
        self.body = b""
        self.trailers = []

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    @property
    def is_chunked(self):
        return "chunked" in (self.get("Transfer-Encoding") or "").lower()


class Wire:
    """A socket, plain or TLS, with a buffer and a record of everything that came in."""

    def __init__(self, sock, log=None):
        self.sock = sock
        self.buffer = b""
        self.log = log if log is not None else bytearray()

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        """Reads once; False at the end of the stream."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.log += data
        self.buffer += data
        return bool(data)

    def until(self, mark, what):
        while mark not in self.buffer:
            if not self.fill():
                raise Truncated(what, self.buffer)
        text, self.buffer = self.buffer.split(mark, 1)
        return text

    def exactly(self, count, what="a body"):
        pieces = [self.buffer[:count]]
        self.buffer = self.buffer[count:]
        left = count - len(pieces[0])
        while left:
            if not self.fill():
                raise Truncated(what, b"".join(pieces))
            pieces.append(self.buffer[:left])
            self.buffer = self.buffer[left:]
            left -= len(pieces[-1])
        return b"".join(pieces)

    def to_end(self):
        while self.fill():
            pass
        rest, self.buffer = self.buffer, b""
        return rest

    def is_at_end(self):
        """Whether the peer has closed and nothing is left; waits for one or the other."""
        return not self.buffer and not self.fill()

    def head(self):
        """The next head, or None if the peer has closed between messages."""
        if not self.buffer and not self.fill():
            return None
        return Message(self.until(b"\r\n\r\n", "a head") + b"\r\n\r\n")

    def chunked_body(self, message):
        pieces = []
        while True:
            line = self.until(b"\r\n", "a chunked body")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            pieces.append(self.exactly(size, "a chunk"))
            if self.exactly(2, "a chunk") != b"\r\n":
                raise ValueError("a chunk that does not end where it says")
        while line := self.until(b"\r\n", "a trailer section"):
            name, value = line.decode("latin-1").split(": ", 1)
            message.trailers.append((name, value))
        message.body = b"".join(pieces)

    def request_body(self, message):
        if message.is_chunked:
            self.chunked_body(message)
        else:
            message.body = self.exactly(int(message.get("Content-Length", "0")))
        return message.body

    def response(self, method="GET"):
        """A whole final response; interim ones are kept in its `interim`."""
        interim = []
        while True:
            message = self.head()
            if message is None:
                raise Truncated("a response", b"")
            if message.status >= 200 or message.status == 101:
                break
            interim.append(message.status)
        message.interim = interim
        if method == "HEAD" or message.status in (101, 204, 304) or method == "CONNECT" and message.status == 200:
            return message
        if message.is_chunked:
            self.chunked_body(message)
        elif message.get("Content-Length") is not None:
            message.body = self.exactly(int(message.get("Content-Length")))
        else:
            message.body = self.to_end()
        return message

    def request(self, method, target, host, body=None, fields=()):
        """Sends a request and waits for its response."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        return self.response(method)

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def abort(self):
        """Closes with a reset."""
        import struct
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
