#!/usr/bin/env python3
"""An origin for a day's visits: contents that are never the same, WebSockets, and answers that end badly.

odd_origin.py LEAF KEY: listens on two ports of 127.0.0.1, TLS and plain, prints both, serves until its input ends.
"""

import base64
import hashlib
import os
import random
import socket
import ssl
import struct
import sys
import threading
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WORDS = "tide pool ebb neap quay spring harbour moor swell drift reef buoy".split()


class Gone(Exception):
    """The peer is."""


class Reader:
    def __init__(self, sock):
        self.sock, self.held = sock, b""

    def more(self):
        if not (taken := self.sock.recv(65536)):
            raise Gone
        self.held += taken

    def until(self, mark):
        while mark not in self.held:
            self.more()
        found, _, self.held = self.held.partition(mark)
        return found

    def exactly(self, count):
        while len(self.held) < count:
            self.more()
        found, self.held = self.held[:count], self.held[count:]
        return found


def text(size):
    """Words in another order each time: a content of its own, in which there is nothing to find."""
    return " ".join(random.choices(WORDS, k=size // 6)).encode()


def send(sock, content, kind=b"text/plain"):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(content)) + content)


def send_chunks(sock):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        piece = text(600)
        sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    sock.sendall(b"0\r\n\r\n")


def send_events(sock):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(10):
        event = b"data: %d\n\n" % number
        sock.sendall(b"%x\r\n%s\r\n" % (len(event), event))
        time.sleep(0.1)
    sock.sendall(b"0\r\n\r\n")


def cut(sock):
    """Less than was announced, and a reset."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + text(30000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone


def echo_frames(sock, reader, head):
    """RFC 6455: each frame of the client's comes back, unmasked, until one that closes."""
    key = next(line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    answer = base64.b64encode(hashlib.sha1(key + GUID).digest())
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + answer + b"\r\n\r\n")
    while True:
        first, second = reader.exactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(reader.exactly(2 if size == 126 else 8), "big")
        mask, payload = reader.exactly(4), bytearray(reader.exactly(size))
        for index in range(size):
            payload[index] ^= mask[index % 4]
        head = struct.pack("!BB", first, size) if size < 126 else struct.pack("!BBH", first, 126, size)
        sock.sendall(head + payload)
        if first & 0x0F == 8:
            raise Gone


def answer(sock, reader):
    head = reader.until(b"\r\n\r\n")
    path = head.split(b" ", 2)[1]
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    reader.exactly(length)
    if path.startswith(b"/text?"):
        send(sock, text(int(path[6:])))
    elif path == b"/chunks":
        send_chunks(sock)
    elif path == b"/events":
        send_events(sock)
    elif path == b"/socket":
        echo_frames(sock, reader, head)
    elif path == b"/cut":
        cut(sock)
    elif path == b"/silent":
        raise Gone
    else:
        send(sock, b"received")


def serve(sock, context):
    try:
        sock.settimeout(60)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        reader = Reader(sock)
        while True:
            answer(sock, reader)
    except (Gone, OSError):
        # What clients do here is to go.
        pass
    finally:
        sock.close()


def accept(listener, context):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, context), daemon=True).start()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    ports = []
    for each in (context, None):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        threading.Thread(target=accept, args=(listener, each), daemon=True).start()
        ports.append(listener.getsockname()[1])
    print(*ports, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
