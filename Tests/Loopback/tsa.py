"""A time-stamping authority (RFC 3161) of the tests: an HTTP server around `openssl ts -reply`, and its defects."""

import http.server
import pathlib
import shutil
import ssl
import tempfile
import threading

from pki import openssl

CONFIG = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """Issues tokens from a certificate below a root that is made at run time."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-tsa-"))
        (self.folder / "ts.cnf").write_text(CONFIG.format(folder=self.folder))
        (self.folder / "serial").write_text("01\n")
        self.roots = self._root("root")
        self.other_roots = self._root("stranger")
        (self.folder / "leaf.ext").write_text(
            "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.folder / "tsa.key",
                "-out", self.folder / "tsa.csr", "-subj", "/O=Tests/CN=Time authority")
        openssl("x509", "-req", "-in", self.folder / "tsa.csr", "-CA", self.roots, "-CAkey", self.folder / "root.key",
                "-set_serial", "2", "-days", "30", "-extfile", self.folder / "leaf.ext", "-out", self.folder / "tsa.crt")
        self.lock = threading.Lock()

    def _root(self, name):
        path = self.folder / f"{name}.crt"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.folder / f"{name}.key",
                "-out", path, "-days", "30", "-subj", f"/CN=Time {name}", "-addext", "keyUsage=critical,keyCertSign")
        return path

    def web(self):
        """Chain and key of a web server named localhost, below the same root."""
        (self.folder / "web.ext").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.folder / "web.key",
                "-out", self.folder / "web.csr", "-subj", "/CN=localhost")
        openssl("x509", "-req", "-in", self.folder / "web.csr", "-CA", self.roots, "-CAkey", self.folder / "root.key",
                "-set_serial", "3", "-days", "30", "-extfile", self.folder / "web.ext", "-out", self.folder / "web.crt")
        return self.folder / "web.crt", self.folder / "web.key"

    def reply(self, query):
        """The TimeStampResp for a TimeStampReq, both DER."""
        with self.lock:
            (self.folder / "query.tsq").write_bytes(query)
            openssl("ts", "-reply", "-config", self.folder / "ts.cnf", "-queryfile", self.folder / "query.tsq",
                    "-signer", self.folder / "tsa.crt", "-inkey", self.folder / "tsa.key",
                    "-out", self.folder / "reply.tsr")
            return (self.folder / "reply.tsr").read_bytes()

    def query(self, digest, *options):
        """A request for another digest, or without what `options` leaves out."""
        return openssl("ts", "-query", "-digest", digest, "-sha256", "-cert", *options)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """Listens on loopback; `kind` says what it does with a request."""

    def __init__(self, authority, kind="good", tls=None):
        outer = self
        self.authority, self.kind, self.count = authority, kind, 0
        self.released = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.count += 1
                outer.type = self.headers["Content-Type"]
                query = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, body = outer.answer(query)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsa?a=b"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = f"https://localhost:{self.server.server_port}/tsa"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, query):
        reply = {"Content-Type": "application/timestamp-reply"}
        authority = self.authority
        if self.kind == "imprint":
            at = query.index(b"\x04\x20") + 2
            return 200, reply, authority.reply(query[:at] + bytes(32) + query[at + 32:])
        if self.kind == "nonce":
            # A request for the same digest, with a nonce of its own.
            at = query.index(b"\x04\x20") + 2
            return 200, reply, authority.reply(authority.query(query[at:at + 32].hex()))
        if self.kind == "no-nonce":
            at = query.index(b"\x04\x20") + 2
            return 200, reply, authority.reply(authority.query(query[at:at + 32].hex(), "-no_nonce"))
        if self.kind == "refused":
            text = b"no service this day"
            text = bytes([0x0C, len(text)]) + text
            status = b"\x02\x01\x02\x30" + bytes([len(text)]) + text
            status = b"\x30" + bytes([len(status)]) + status
            return 200, reply, b"\x30" + bytes([len(status)]) + status
        if self.kind == "garbage":
            return 200, reply, b"\x30\x05never"
        if self.kind == "huge":
            return 200, reply, b"\x30\x83\x7f\xff\xff" + bytes(1 << 16)
        if self.kind == "slow":
            self.released.wait(60)
            return 200, reply, b""
        if self.kind == "error":
            return 500, {"Content-Type": "text/plain"}, b"no"
        if self.kind == "type":
            return 200, {"Content-Type": "text/html"}, authority.reply(query)
        if self.kind == "redirect":
            return 302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""
        if self.kind == "forged":
            token = bytearray(authority.reply(query))
            token[-3] ^= 1
            return 200, reply, bytes(token)
        return 200, reply, authority.reply(query)

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
