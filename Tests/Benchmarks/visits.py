#!/usr/bin/env python3
"""Devices of a day, of every kind and manner: each visit is a connection or a few, and ends as it should or is told of.

visits.py PROXY_PORT CA ORIGIN_PORT ODD_PORT PLAIN_PORT DAY: visits until its input ends, of a day of so many seconds. A line of JSON a second says how
many of each kind there were; one for each that went wrong, when it began, when it ended, and how.
"""

import json
import os
import random
import select
import socket
import ssl
import struct
import sys
import threading
import time

PROXY, ORIGIN, ODD, PLAIN = (int(sys.argv[index]) for index in (1, 3, 4, 5))
DAY = float(sys.argv[6])
THREADS, PATIENCE = 24, 30
# Identifiers are sent in four quarters of an hour of the day: the rest of it holds nothing that has to be kept.
QUARTER, PERIOD = DAY / 96, DAY / 4
HOST, ODD_HOST = "bench.example", "odd.bench.example"
MIB = 1 << 20

trusting = ssl.create_default_context(cafile=sys.argv[2])
distrusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
counts, lock = {}, threading.Lock()
stopping = threading.Event()
begun = time.monotonic()


class Wrong(Exception):
    """Not what was to come."""


def expect(condition, *what):
    if not condition:
        raise Wrong(" ".join(map(str, what)))


def dial(receive=None):
    sock = socket.socket()
    try:
        sock.settimeout(PATIENCE)
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.connect(("127.0.0.1", PROXY))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except BaseException:
        sock.close()
        raise


def head_of(sock):
    """A message's head, byte by byte where it has to be: what comes after it may be TLS."""
    held = b""
    while not held.endswith(b"\r\n\r\n"):
        taken = sock.recv(1)
        expect(taken, "the connection ended in a head:", held[:200])
        held += taken
    return held


def status_of(head):
    return int(head.split(b" ", 2)[1])


def connected(host, port, **how):
    sock = dial(**how)
    sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    status = status_of(head_of(sock))
    if status != 200:
        sock.close()
        raise Wrong(f"CONNECT {host}:{port} was answered {status}")
    return sock


def secure(host, port, session=None, **how):
    sock = connected(host, port, **how)
    try:
        return trusting.wrap_socket(sock, server_hostname=host, session=session)
    except BaseException:
        sock.close()
        raise


def request(sock, host, port, path, method="GET", content=b"", fields=""):
    length = f"Content-Length: {len(content)}\r\n" if method == "POST" else ""
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{length}{fields}\r\n".encode() + content)


def body_of(sock, head):
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if fields.get(b"transfer-encoding") == b"chunked":
        held = b""
        while not held.endswith(b"\r\n0\r\n\r\n"):
            taken = sock.recv(65536)
            expect(taken, "the connection ended in a chunked body")
            held += taken
        return held
    left, held = int(fields[b"content-length"]), []
    while left:
        taken = sock.recv(min(left, 65536))
        expect(taken, "the connection ended", left, "bytes early")
        held.append(taken)
        left -= len(taken)
    return b"".join(held)


def ask(sock, host, port, path, method="GET", content=b"", status=200):
    request(sock, host, port, path, method, content)
    head = head_of(sock)
    expect(status_of(head) == status, path, "was answered", status_of(head))
    return body_of(sock, head)


def reset(sock):
    """Goes without a word: TCP's RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# The visits.


def exchanges():
    with secure(HOST, ORIGIN) as sock:
        for _ in range(random.randint(1, 5)):
            expect(len(ask(sock, HOST, ORIGIN, "/200.json")) == 200, "another length")


def goodbye():
    """Ends TLS as it should be ended."""
    with secure(HOST, ORIGIN) as sock:
        ask(sock, HOST, ORIGIN, "/16k.bin")
        sock.unwrap().close()


def resumed():
    with secure(HOST, ORIGIN) as sock:
        ask(sock, HOST, ORIGIN, "/200.json")
        session = sock.session
    with secure(HOST, ORIGIN, session) as sock:
        ask(sock, HOST, ORIGIN, "/200.json")


def texts():
    """Contents that nobody had before."""
    with secure(ODD_HOST, ODD) as sock:
        for _ in range(3):
            ask(sock, ODD_HOST, ODD, f"/text?{random.randint(2_000, 300_000)}")


def upload():
    words = " ".join(random.choices(("ebb", "neap", "swell", "moor"), k=random.randint(1_000, 30_000)))
    with secure(ODD_HOST, ODD) as sock:
        ask(sock, ODD_HOST, ODD, "/sink", "POST", words.encode())


def telling():
    """A value of the profile: a finding."""
    if (time.monotonic() - begun) % PERIOD > QUARTER:
        return
    with secure(ODD_HOST, ODD) as sock:
        ask(sock, ODD_HOST, ODD, "/sink", "POST", b'{"imei":"490154203237518","at":%d}' % time.time_ns())


def chunks():
    with secure(ODD_HOST, ODD) as sock:
        ask(sock, ODD_HOST, ODD, "/chunks")


def events():
    with secure(ODD_HOST, ODD) as sock:
        ask(sock, ODD_HOST, ODD, "/events")


def plain():
    with dial() as sock:
        request(sock, ODD_HOST, PLAIN, f"http://{ODD_HOST}:{PLAIN}/text?5000")
        head = head_of(sock)
        expect(status_of(head) == 200, "plain HTTP was answered", status_of(head))
        body_of(sock, head)


def half_closed():
    """Says that it sends no more, and still wants its answer."""
    with dial() as sock:
        request(sock, ODD_HOST, PLAIN, f"http://{ODD_HOST}:{PLAIN}/text?50000")
        sock.shutdown(socket.SHUT_WR)
        head = head_of(sock)
        expect(status_of(head) == 200, "a half-closed request was answered", status_of(head))
        body_of(sock, head)


def truncated():
    """TCP's end without TLS's, which may have an answer or none, but has an end."""
    with secure(HOST, ORIGIN) as sock:
        request(sock, HOST, ORIGIN, "/16k.bin")
        with socket.socket(fileno=os.dup(sock.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        try:
            while sock.recv(65536):
                pass
        except (ssl.SSLError, ConnectionError):
            pass


def aborted_download():
    with secure(HOST, ORIGIN) as sock:
        request(sock, HOST, ORIGIN, "/1m.bin")
        sock.recv(65536)
        reset(sock)


def aborted_upload():
    with secure(HOST, ORIGIN) as sock:
        sock.sendall(f"POST /sink HTTP/1.1\r\nHost: {HOST}:{ORIGIN}\r\nContent-Length: {MIB}\r\n\r\n".encode() + b"swell drift " * 25_000)
        reset(sock)


def slow_reader():
    with secure(HOST, ORIGIN, receive=8192) as sock:
        request(sock, HOST, ORIGIN, "/1m.bin")
        head = head_of(sock)
        left = MIB
        for _ in range(40):
            taken = sock.recv(4096)
            expect(taken, "the connection ended early")
            left -= len(taken)
            time.sleep(0.05)
        expect(len(body_of(sock, head.replace(b"%d" % MIB, b"%d" % left))) == left, "another length")


def upgraded():
    sock = secure(ODD_HOST, ODD)
    request(sock, ODD_HOST, ODD, "/socket", fields="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    try:
        status = status_of(head_of(sock))
        expect(status == 101, "a WebSocket was answered", status)
    except BaseException:
        sock.close()
        raise
    return sock


def frame(opcode, payload):
    size = struct.pack("!B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack("!BH", 0x80 | 126, len(payload))
    # A mask of zeros is a mask.
    return bytes((0x80 | opcode,)) + size + bytes(4) + payload


def echoed(sock, message):
    sock.sendall(frame(1, message))
    held = b""
    while len(held) < len(message) + (2 if len(message) < 126 else 4):
        taken = sock.recv(65536)
        expect(taken, "a WebSocket ended early")
        held += taken
    expect(held.endswith(message), "another message came back")


def websocket():
    with upgraded() as sock:
        for number in range(10):
            echoed(sock, b"swell " * random.randint(1, 500) + b"%d" % number)
        sock.sendall(frame(8, b"\x03\xe8"))
        expect(sock.recv(65536)[:1] == b"\x88", "no frame that closes")


def websocket_aborted():
    with upgraded() as sock:
        echoed(sock, b"moor")
        sock.sendall(frame(1, b"neap")[:5])
        reset(sock)


def refused():
    """Where nobody listens, and where nobody is to go."""
    for host, port, status in (("closed.bench.example", 1, 502), ("10.9.8.7", 443, 403)):
        with dial() as sock:
            sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            answered = status_of(head_of(sock))
            if answered == 200:
                # Where a device may have to read why, the tunnel is a page of ours.
                continue
            expect(answered == status, "CONNECT", host, "was answered", answered)


def malformed():
    with dial() as sock:
        sock.sendall(b"GET  /  HTTP/9\r\n: x\r\n\r\n")
        expect(status_of(head_of(sock)) == 400, "what is no HTTP was answered otherwise")


def distrustful():
    host = f"pinned{random.randrange(16):02}.bench.example"
    with connected(host, ORIGIN) as sock:
        try:
            distrusting.wrap_socket(sock, server_hostname=host).close()
        except ssl.SSLCertVerificationError:
            return
        raise Wrong("a leaf was trusted that cannot be")


def silent():
    """Connects, says some of what it could, and goes."""
    with dial() as sock:
        sock.sendall(random.choice((b"", b"CONN", b"CONNECT bench.example:1 HTTP/1.1\r\nHo")))
        time.sleep(random.random())
    with connected(HOST, ORIGIN) as sock:
        sock.sendall(random.choice((b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", os.urandom(64))))
        time.sleep(random.random())


def cut():
    """The origin ends in the middle of its answer."""
    with secure(ODD_HOST, ODD) as sock:
        request(sock, ODD_HOST, ODD, "/cut")
        try:
            head = head_of(sock)
            body_of(sock, head)
        except (Wrong, OSError):
            return
        # The reset may overtake what was sent before it.
        expect(status_of(head) == 502, "half an answer was whole")


def unanswered():
    with secure(ODD_HOST, ODD) as sock:
        ask(sock, ODD_HOST, ODD, "/silent", status=502)


VISITS = {
    exchanges: 20, goodbye: 6, resumed: 10, texts: 12, upload: 6, telling: 3, chunks: 4, events: 2, plain: 5, half_closed: 4, truncated: 3, aborted_download: 5,
    aborted_upload: 4, slow_reader: 2, websocket: 4, websocket_aborted: 2, refused: 4, malformed: 2, distrustful: 3, silent: 3, cut: 2, unanswered: 2,
}


def say(what):
    with lock:
        print(json.dumps(what), flush=True)


def visitor(number):
    chance = random.Random(number)
    while not stopping.is_set():
        visit = chance.choices(list(VISITS), VISITS.values())[0]
        start = time.monotonic()
        try:
            visit()
        except (Wrong, OSError) as error:
            say({"wrong": visit.__name__, "begun": start, "ended": time.monotonic(), "error": f"{type(error).__name__}: {error}"[:300]})
            time.sleep(0.2)
        with lock:
            counts[visit.__name__] = counts.get(visit.__name__, 0) + 1
        # Devices pause; and the machine has others to serve.
        stopping.wait(chance.expovariate(4))


def main():
    threads = [threading.Thread(target=visitor, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    while not select.select([sys.stdin], [], [], 1)[0]:
        say({"counts": dict(counts)})
    stopping.set()
    for thread in threads:
        thread.join()
    say({"counts": dict(counts)})


main()
