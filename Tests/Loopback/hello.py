"""ClientHellos byte for byte (RFC 8446 section 4.1.2), what a server answers to them, and their JA4 fingerprints."""

import hashlib
import os
import ssl

from wire import Truncated

# Extensions by their numbers at IANA.
SERVER_NAME, GROUPS, FORMATS, SIGNATURES, HEARTBEAT, ALPN, PADDING = 0, 10, 11, 13, 15, 16, 21
EMS, TICKET, EARLY_DATA, VERSIONS, COOKIE, MODES, SHARES, ECH, RENEGOTIATION = 23, 35, 42, 43, 44, 45, 51, 0xFE0D, 0xFF01

TLS10, TLS11, TLS12, TLS13 = 0x0301, 0x0302, 0x0303, 0x0304
X25519, P256, P384, P521, HYBRID = 29, 23, 24, 25, 0x11EC
FALLBACK_SCSV, RENEGOTIATION_SCSV = 0x5600, 0x00FF
SUITES_12 = (0xC02B, 0xC02C, 0xCCA9, 0xC02F, 0xC030, 0xCCA8)  # ephemeral ECDH with AEAD, for both kinds of key
SUITES_13 = (0x1301, 0x1302, 0x1303)
SIGNATURES_NOW = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)

HELLO_RETRY = hashlib.sha256(b"HelloRetryRequest").digest()
DOWNGRADE_12 = b"DOWNGRD\x01"

ALERT, HANDSHAKE, APPLICATION, HEARTBEAT_RECORD = 21, 22, 23, 24
SERVER_HELLO, SERVER_KEY, SERVER_DONE = 2, 12, 14
ALERTS = {10: "unexpected_message", 22: "record_overflow", 40: "handshake_failure", 47: "illegal_parameter",
          50: "decode_error", 51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security",
          80: "internal_error", 86: "inappropriate_fallback", 100: "no_renegotiation", 109: "missing_extension",
          112: "unrecognized_name", 120: "no_application_protocol"}

# A device that ends a handshake before a word, as probes do, looks like one that pins: its hosts would soon be relayed.
PATIENT = {"tls": {"learn_passthrough": {"after": 1000}}}


def vector(width, *parts):
    """Bytes with their length before them in `width` bytes."""
    content = b"".join(parts)
    return len(content).to_bytes(width, "big") + content


def numbers(values):
    return b"".join(value.to_bytes(2, "big") for value in values)


def is_grease(value):
    """Whether it is one of the values that mean nothing (RFC 8701)."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def server_name(host):
    return SERVER_NAME, vector(2, b"\0", vector(2, host.encode()))


def groups(*values):
    return GROUPS, vector(2, numbers(values))


def signatures(*values):
    return SIGNATURES, vector(2, numbers(values))


def versions(*values):
    return VERSIONS, vector(1, numbers(values))


def shares(*pairs):
    return SHARES, vector(2, *(group.to_bytes(2, "big") + vector(2, key) for group, key in pairs))


def protocols(*names):
    return ALPN, vector(2, *(vector(1, name.encode()) for name in names))


def encrypted_hello_grease():
    """The extension of a client that has no configuration for ECH: random bytes of the right shape."""
    return ECH, b"\0" + numbers((1, 1)) + os.urandom(1) + vector(2, os.urandom(32)) + vector(2, os.urandom(208))


def extensions_12(host, *more, groups=(X25519, P256, P384), signatures=SIGNATURES_NOW):
    """What a plain client of TLS 1.2 sends; `more` replaces what has the same number."""
    replaced = {number for number, _ in more}
    base = [server_name(host), (GROUPS, vector(2, numbers(groups))), (FORMATS, b"\1\0"),
            (SIGNATURES, vector(2, numbers(signatures))), (EMS, b""), (RENEGOTIATION, b"\0")]
    return [pair for pair in base if pair[0] not in replaced] + list(more)


def client_hello(extensions, *, version=TLS12, suites=SUITES_12, compression=b"\0", session=b"", random=None):
    """The handshake message; `extensions` None leaves out their whole block."""
    body = version.to_bytes(2, "big") + (random or os.urandom(32)) + vector(1, session)
    body += vector(2, numbers(suites)) + vector(1, compression)
    if extensions is not None:
        body += vector(2, *(number.to_bytes(2, "big") + vector(2, content) for number, content in extensions))
    return b"\1" + vector(3, body)


def records(message, size=16384, version=TLS10):
    """A message in handshake records of at most `size` bytes."""
    return b"".join(bytes([HANDSHAKE]) + version.to_bytes(2, "big") + vector(2, message[start:start + size])
                    for start in range(0, len(message), size))


class ServerHello:
    def __init__(self, body):
        self.version = int.from_bytes(body[:2], "big")
        self.random = body[2:34]
        rest = 35 + body[34]
        self.suite = int.from_bytes(body[rest:rest + 2], "big")
        self.compression = body[rest + 2]
        self.extensions = dict(extensions_in(body[rest + 5:]))
        if VERSIONS in self.extensions:
            self.version = int.from_bytes(self.extensions[VERSIONS], "big")

    @property
    def is_retry(self):
        return self.random == HELLO_RETRY

    @property
    def group(self):
        return int.from_bytes(self.extensions[SHARES][:2], "big")


class Answer:
    """What a server says to a hello: messages, an alert's name, or nothing but the end."""

    def __init__(self):
        self.messages = []
        self.alert = None
        self.is_closed = False

    @property
    def hello(self):
        found = [body for kind, body in self.messages if kind == SERVER_HELLO]
        return ServerHello(found[0]) if found else None

    def message(self, kind):
        return next((body for found, body in self.messages if found == kind), None)

    @property
    def signature(self):
        """The algorithm of a ServerKeyExchange on a named curve (RFC 8422 section 5.4)."""
        body = self.message(SERVER_KEY)
        start = 4 + body[3]
        return int.from_bytes(body[start:start + 2], "big")

    def __repr__(self):
        hello = self.hello
        if hello:
            return f"ServerHello(version={hello.version:#06x}, suite={hello.suite:#06x})"
        return f"Answer(alert={self.alert}, closed={self.is_closed})"


def record(wire):
    """The next record: its type and content."""
    head = wire.exactly(5, "a record")
    return head[0], wire.exactly(int.from_bytes(head[3:], "big"), "a record")


def answer(wire):
    """Reads until the server has said what it says in the clear, sent an alert, or closed."""
    said, buffer = Answer(), b""
    try:
        while True:
            kind, content = record(wire)
            if kind == ALERT and len(content) == 2:
                said.alert = ALERTS.get(content[1], str(content[1]))
                return said
            if kind != HANDSHAKE:
                continue
            buffer += content
            while len(buffer) >= 4 and len(buffer) >= 4 + (size := int.from_bytes(buffer[1:4], "big")):
                said.messages.append((buffer[0], buffer[4:4 + size]))
                buffer = buffer[4 + size:]
                kind = said.messages[-1][0]
                if kind == SERVER_DONE or kind == SERVER_HELLO and said.hello.version == TLS13:
                    return said
    except (Truncated, OSError):
        said.is_closed = True
        return said


def ask(proxy, authority, data):
    """What the proxy answers to some bytes in a tunnel."""
    reply, wire = proxy.connect(authority)
    with wire:
        if reply.status != 200:
            raise AssertionError(f"CONNECT answered {reply.start}")
        wire.send(data)
        return answer(wire)


# Reading hellos.


def extensions_in(block):
    while block:
        size = int.from_bytes(block[2:4], "big")
        yield int.from_bytes(block[:2], "big"), block[4:4 + size]
        block = block[4 + size:]


def pairs_in(data):
    return [int.from_bytes(data[start:start + 2], "big") for start in range(0, len(data) - 1, 2)]


def message_in(data):
    """The handshake message in some records."""
    joined = b""
    while len(data) >= 5 and data[0] == HANDSHAKE:
        size = int.from_bytes(data[3:5], "big")
        joined += data[5:5 + size]
        data = data[5 + size:]
    return joined[:4 + int.from_bytes(joined[1:4], "big")]


def ja4(data):
    """The JA4 fingerprint of a hello in its records, as FoxIO's technical details have it."""
    body = message_in(data)[4:]
    offered = [int.from_bytes(body[:2], "big")]
    rest = 35 + body[34]
    count = int.from_bytes(body[rest:rest + 2], "big")
    suites = [suite for suite in pairs_in(body[rest + 2:rest + 2 + count]) if not is_grease(suite)]
    rest += 2 + count
    rest += 1 + body[rest]
    listed = [pair for pair in extensions_in(body[rest + 2:]) if not is_grease(pair[0])]
    found = dict(listed)
    if VERSIONS in found:
        offered = [version for version in pairs_in(found[VERSIONS][1:]) if not is_grease(version)]
    version = {TLS13: "13", TLS12: "12", TLS11: "11", TLS10: "10", 0x0300: "s3"}.get(max(offered), "00")
    protocol = "00"
    if ALPN in found and (first := found[ALPN][3:3 + found[ALPN][2]]):
        ends = chr(first[0]) + chr(first[-1])
        protocol = ends if ends.isascii() and ends.isalnum() else first.hex()[0] + first.hex()[-1]
    algorithms = pairs_in(found[SIGNATURES][2:]) if SIGNATURES in found else []

    def digest(text):
        return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

    kinds = sorted(f"{number:04x}" for number, _ in listed if number not in (SERVER_NAME, ALPN))
    tail = "_".join(filter(None, [",".join(kinds), ",".join(f"{value:04x}" for value in algorithms)]))
    return (f"t{version}{'d' if SERVER_NAME in found else 'i'}{min(len(suites), 99):02}{min(len(listed), 99):02}{protocol}"
            f"_{digest(','.join(sorted(f'{suite:04x}' for suite in suites)))}_{digest(tail)}")


def speak(context, wire, host, *, step=None):
    """A handshake of Python's over a wire, sent `step` bytes at a time; the session and all that the client sent."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session, sent = context.wrap_bio(incoming, outgoing, server_hostname=host), b""

    def flush():
        nonlocal sent
        data = outgoing.read()
        sent += data
        for start in range(0, len(data), step or len(data) or 1):
            wire.send(data[start:start + (step or len(data))])

    while True:
        try:
            session.do_handshake()
            flush()
            return session, sent
        except ssl.SSLWantReadError:
            flush()
            if not wire.buffer and not wire.fill():
                raise Truncated("a handshake") from None
            incoming.write(wire.buffer)
            wire.buffer = b""

