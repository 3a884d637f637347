"""A name server on the loopback address, UDP and TCP on one port, as honest or hostile as a test wants it."""

import ipaddress
import socket
import struct
import threading

A, CNAME, SOA, AAAA = 1, 5, 6, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def wire(name):
    """A name as DNS carries it, uncompressed."""
    labels = [label for label in name.encode().split(b".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner, kind, data, ttl=300):
    return wire(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def address(owner, text, ttl=300):
    parsed = ipaddress.ip_address(text)
    return record(owner, A if parsed.version == 4 else AAAA, parsed.packed, ttl)


def alias(owner, target, ttl=300):
    return record(owner, CNAME, wire(target), ttl)


def zone(minimum=30):
    return record("example", SOA, wire("ns.example") + wire("admin.example") + struct.pack(">5I", 1, 1, 1, 1, minimum), minimum)


class Question:
    def __init__(self, data, over):
        self.data, self.over = data, over
        self.id = data[:2]
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]])
            at += 1 + data[at]
        self.spelling = b".".join(labels).decode()
        self.name = self.spelling.lower()
        self.type = struct.unpack(">H", data[at + 1:at + 3])[0]
        self.end = at + 5

    def answer(self, *records, code=NOERROR, truncated=False, authority=(), id=None, question=None):
        """A message that answers this question, or only looks like it."""
        flags = 0x8180 | code | (0x0200 if truncated else 0)
        asked = self.data[12:self.end] if question is None else question
        return ((id or self.id) + struct.pack(">5H", flags, 1, len(records), len(authority), 0) + asked
                + b"".join(records) + b"".join(authority))


class NameServer:
    """Answers with what `zone` says: a dict of names to addresses, `>target` for an alias, or a callable of the Question
    that returns records, a whole message, a list of messages, or None for silence."""

    def __init__(self, zone):
        self.zone = zone
        self.asked = []
        self.lock = threading.Lock()
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server(("127.0.0.1", self.port))
                break
            except OSError:  # another program has that port of TCP's
                self.udp.close()
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def count(self, name, kind=A):
        """How often a name was asked for."""
        with self.lock:
            return sum(1 for question in self.asked if (question.name, question.type) == (name, kind))

    def _answers(self, data, over):
        question = Question(data, over)
        with self.lock:
            self.asked.append(question)
        entry = self.zone.get(question.name)
        if callable(entry):
            entry = entry(question)
        elif entry is None:
            entry = question.answer(code=NXDOMAIN, authority=[zone()])
        if entry is None:
            return []
        if isinstance(entry, bytes):
            return [entry]
        if isinstance(entry, list) and entry and isinstance(entry[0], bytes):
            return entry
        return [question.answer(*self._records(question.name, question.type, entry))]

    def _records(self, name, kind, entry):
        """The records of a name's texts, aliases followed as a recursive server does."""
        records = []
        for text in [entry] if isinstance(entry, str) else entry:
            if text.startswith(">"):
                target = text[1:]
                records.append(alias(name, target))
                further = self.zone.get(target)
                if further is not None and not callable(further):
                    records += self._records(target, kind, further)
            elif (":" in text) == (kind == AAAA):
                records.append(address(name, text))
        return records

    def _serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not data:  # closed
                return
            for answer in self._answers(data, "udp"):
                self.udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(5)
                try:
                    length = struct.unpack(">H", self._exactly(sock, 2))[0]
                    for answer in self._answers(self._exactly(sock, length), "tcp"):
                        sock.sendall(struct.pack(">H", len(answer)) + answer)
                except OSError:
                    continue

    @staticmethod
    def _exactly(sock, count):
        data = b""
        while len(data) < count:
            part = sock.recv(count - len(data))
            if not part:
                raise OSError("closed")
            data += part
        return data

    def close(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
