"""TLS servers for tests of what the proxy makes of them: many names, a script, a tampering relay, openssl's."""

import contextlib
import pathlib
import shutil
import socket
import ssl
import struct
import tempfile
import threading

import pki
from origins import Origin
from ports import listener
from programs import Program

ANY_STRENGTH = "DEFAULT:@SECLEVEL=0"  # what the server may be; what the proxy takes is what is tested


def server_context(certificate, *, versions=None, ciphers=ANY_STRENGTH, alpn=None, clients=None):
    """`certificate`: of forge; `clients`: a verify_mode, for which any authority of forge's is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    if versions:
        context.minimum_version, context.maximum_version = versions
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-server-"))
    try:
        context.load_cert_chain(*certificate.files(folder, "server"))
    finally:
        shutil.rmtree(folder)
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    if clients:
        context.load_verify_locations(cadata=certificate.chain[-1].issuer.pem)
        context.verify_mode = clients
    return context


class TLSOrigin(Origin):
    """An origin with a certificate of forge's."""

    def __init__(self, certificate, handler=None, *, address="127.0.0.1", **context):
        super().__init__(handler, address=address)
        self.context = server_context(certificate, **context)

    def show(self, certificate, **context):
        """From the next connection on it is another certificate, and no ticket of before opens it."""
        self.context = server_context(certificate, **context)


class VirtualHosts(TLSOrigin):
    """A certificate for each name that a hello may ask for; the first one if it asks for none."""

    def __init__(self, certificates, handler=None, **more):
        super().__init__(next(iter(certificates.values())), handler, **more)
        contexts = {name: server_context(certificate) for name, certificate in certificates.items()}
        self.asked = []

        def choose(secure, name, _):
            self.asked.append(name)
            if name not in contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            secure.context = contexts[name]
            return None

        self.context.sni_callback = choose


class Scripted:
    """A TCP server: `script` gets each connection's socket and has the say; `hellos` are what came first."""

    def __init__(self, script=None, *, address="127.0.0.1"):
        self.script = script
        self.hellos = []
        self.accepted = 0
        self.results = []
        self.listener = listener(address, backlog=16)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock:
            sock.settimeout(10)
            with contextlib.suppress(OSError, EOFError):
                self.hellos.append(read_hello(sock))
                if self.script:
                    self.results.append(self.script(sock, self.hellos[-1]))

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def exactly(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_record(sock):
    head = exactly(sock, 5)
    return head[0], head + exactly(sock, int.from_bytes(head[3:5], "big"))


def read_hello(sock):
    """A ClientHello's handshake message, whole, out of its records."""
    message = b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        kind, record = read_record(sock)
        if kind != 22:
            raise EOFError
        message += record[5:]
    return message


def record(kind, content, version=0x0303):
    return struct.pack(">BHH", kind, version, len(content)) + content


def handshake(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def server_hello(hello, *, suite, version=0x0303, compression=0, extensions=b"\xff\x01\x00\x01\x00"):
    """A ServerHello that chooses what it likes; by default it knows secure renegotiation."""
    body = (version.to_bytes(2, "big") + bytes(range(32)) + b"\0" + suite.to_bytes(2, "big") + bytes([compression])
            + len(extensions).to_bytes(2, "big") + extensions)
    return record(22, handshake(2, body))


def alert_from(sock):
    """The number of the alert that comes next; None if none comes but the end."""
    with contextlib.suppress(OSError, EOFError):
        while True:
            kind, data = read_record(sock)
            if kind == 21:
                return data[-1]
    return None


class Relay(Scripted):
    """In front of a server: `change` gets each record of the server's as it is and returns what is passed on."""

    def __init__(self, port, change):
        self.target, self.change = port, change
        super().__init__(self._relay)

    def _relay(self, sock, hello):
        with socket.create_connection(("127.0.0.1", self.target), timeout=10) as server:
            server.sendall(record(22, hello, 0x0301))
            back = threading.Thread(target=self._back, args=(sock, server), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while data := self._next(server):
                    sock.sendall(data)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            back.join(5)

    def _next(self, server):
        try:
            return self.change(read_record(server)[1])
        except (EOFError, OSError):
            return b""

    @staticmethod
    def _back(sock, server):
        with contextlib.suppress(OSError):
            while data := sock.recv(65536):
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def with_key_exchange_damaged(data):
    """A record of the server's, with the last byte of a ServerKeyExchange in it changed: of its signature."""
    if data[0] != 22:
        return data
    changed, offset = bytearray(data), 5
    while offset + 4 <= len(data):
        end = offset + 4 + int.from_bytes(data[offset + 1:offset + 4], "big")
        if data[offset] == 12 and end <= len(data):
            changed[end - 1] ^= 1
        offset = end
    return bytes(changed)


class OpenSSLServer(Program):
    """`openssl s_server`, which answers each request with a page, and can show a staple."""

    def __init__(self, certificate, *arguments, staple=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-s-server-"))
        chain, key = certificate.files(self.folder, "server")
        if staple is not None:
            (self.folder / "staple.der").write_bytes(staple)
            arguments = (*arguments, "-status_file", self.folder / "staple.der")
        try:
            super().__init__(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain, "-cert_chain",
                                           chain, "-key", key, "-www", *arguments])
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def short_parameters(bits):
    """Diffie-Hellman parameters as a file's text."""
    return pki.openssl("dhparam", "-dsaparam", bits).decode()
