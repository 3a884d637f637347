"""The servers behind the proxy: nginx, and Python servers that keep every byte they were sent."""

import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from ports import free_port, listener
from wire import Truncated, Wire


def pattern(count):
    """`count` bytes in which a shift, a gap or a repetition would show."""
    block = b"".join(number.to_bytes(4, "big") for number in range(16384))
    return (block * (count // len(block) + 1))[:count]


class Exchange:
    """One request that an origin has read the head of."""

    def __init__(self, wire, message):
        self.wire = wire
        self.request = message
        self.has_read = False

    def body(self):
        if not self.has_read:
            self.has_read = True
            self.wire.request_body(self.request)
        return self.request.body

    def send(self, data):
        self.wire.send(data)

    def reply(self, status=200, body=b"", fields=(), reason="OK"):
        lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


class Connection:
    """What one TCP connection brought: `received` is the decrypted stream."""

    def __init__(self):
        self.received = bytearray()
        self.requests = []
        self.error = None


class Origin:
    """A threaded server; `handler` answers an Exchange and returns False to close."""

    def __init__(self, handler=None, *, address="127.0.0.1", port=0, leaf=None, alpn=None):
        self.handler = handler or standard
        self.address = address
        self.connections = []
        self.accepted = 0
        self.context = None
        if leaf:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*map(str, leaf))
            if alpn:
                self.context.set_alpn_protocols(alpn)
        self.listener = listener(address, port)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        self.lock = threading.Lock()
        self.is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def requests(self):
        return [request for connection in self.connections for request in connection.requests]

    @property
    def received(self):
        """Every decrypted byte of every connection."""
        return b"".join(bytes(connection.received) for connection in self.connections)

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        connection = Connection()
        self.connections.append(connection)
        raw = sock
        try:
            sock.settimeout(20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                with self.lock:
                    self.open.add(sock)
            wire = Wire(sock, connection.received)
            while (message := wire.head()) is not None:
                connection.requests.append(message)
                exchange = Exchange(wire, message)
                if self.handler(exchange) is False:
                    break
                exchange.body()
        except (OSError, Truncated, ValueError) as error:
            connection.error = error
        finally:
            with self.lock:
                self.open.discard(raw)
                self.open.discard(sock)
            sock.close()

    def close(self):
        # shutdown wakes the accept; close alone would leave it waiting
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for sock in list(self.open):
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def standard(exchange):
    """The origin that most tests speak with: the path says how to answer."""
    request = exchange.request
    path, _, query = request.target.partition("?")
    if path == "/echo":
        body = exchange.body()
        exchange.reply(body=body, fields=[("Content-Type", request.get("Content-Type", "application/octet-stream"))])
    elif path == "/bytes":
        exchange.reply(body=pattern(int(query)))
    elif path == "/chunked":
        body = exchange.body() or pattern(int(query or "100000"))
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(body), 7001):
            piece = body[start:start + 7001]
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")
    elif path == "/trailers":
        exchange.body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Digest\r\n\r\n"
                      b"5\r\nhello\r\n0\r\nX-Digest: 5d41402a\r\n\r\n")
    elif path == "/to-the-end":
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + pattern(50000))
        return close_politely(exchange.wire)
    elif path in ("/204", "/304"):
        exchange.send(f"HTTP/1.1 {path[1:]} Nothing\r\nETag: \"t\"\r\n\r\n".encode())
    elif path == "/head":
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    elif path == "/continue":
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        exchange.reply(body=exchange.body())
    elif path == "/no-thanks":
        exchange.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return False
    elif path == "/cut-length":
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
        return False
    elif path == "/cut-chunk":
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")
        return False
    elif path == "/silent-end":
        return False
    else:
        exchange.body()
        exchange.reply(body=f"{request.method} {request.target}".encode(), fields=[("Content-Type", "text/plain")])
    return True


def close_politely(wire):
    """Ends the stream with close_notify where there is TLS, so that the end is an end and not a cut."""
    if isinstance(wire.sock, ssl.SSLSocket):
        try:
            wire.sock.unwrap()
        except (OSError, ssl.SSLError):
            pass
    return False


class Nginx:
    """nginx serving a folder over TLS on a loopback address; its access log says which connection served what."""

    CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  types {{ text/html html; text/css css; application/javascript js; image/svg+xml svg; image/png png; }}
  log_format lines '$connection $connection_requests $request_method $uri $status';
  access_log {folder}/access.log lines;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 10000;
  server {{
    listen {address}:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    root {folder}/www;
  }}
}}
"""

    def __init__(self, leaf, *, address="127.0.0.1"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-nginx-"))
        self.root = self.folder / "www"
        self.root.mkdir()
        self.address = address
        # as root, nginx serves as nobody unless told: the folder must be readable by it
        self.folder.chmod(0o755)
        for _ in range(5):
            self.port = free_port(address)
            config = self.folder / "nginx.conf"
            config.write_text(self.CONFIG.format(folder=self.folder, address=address, port=self.port,
                                                 certificate=leaf[0], key=leaf[1]))
            # -e: before the configuration is read, Debian's nginx logs where only root may write
            self.process = subprocess.Popen(
                [shutil.which("nginx") or "/usr/sbin/nginx", "-c", config, "-p", self.folder,
                 "-e", self.folder / "error.log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._accepts():
                return
            self.stop()
        raise RuntimeError("nginx does not start: " + (self.folder / "error.log").read_text())

    def _accepts(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def log(self):
        """Connection number, request number on it, method, path and status of each request."""
        file = self.folder / "access.log"
        return [line.split(" ") for line in file.read_text().splitlines()] if file.exists() else []

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
