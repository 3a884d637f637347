"""Certificates, the origin, and what it serves."""

import os
import pathlib
import random
import shutil
import subprocess

import machine

DOMAIN = "bench.example"
# What an upload is answered with: also the first bytes of all that is served.
RECEIVED = b"received"
MIB = 1 << 20


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: openssl {words[0]}: {done.stderr.strip()}")


class Laboratory:
    """A folder with two CAs, the origin's certificate and its files; and the origin itself, nginx, running."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        # Squid gives up root's rights.
        self.folder.parent.chmod(0o755)
        self.pki = self.folder / "pki"
        self.www = self.folder / "www"
        self.pki.mkdir()
        self.www.mkdir()
        self.make_certificates()
        self.make_files()
        # Without tickets both handshakes are whole, whatever the proxy would like.
        self.port, self.full_port, self.resumed_port = machine.free_ports(3)
        self.start_origin()

    def make_authority(self, name):
        key, certificate = self.pki / f"{name}.key", self.pki / f"{name}.crt"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                "-days", 30, "-subj", f"/CN={name} of a benchmark", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        return certificate, key

    def make_leaf(self, name, authority, *hosts):
        certificate, key = authority
        request, leaf, leaf_key = (self.pki / f"{name}.{kind}" for kind in ("csr", "crt", "key"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", leaf_key, "-out", request, "-subj", f"/CN={hosts[0]}")
        extensions = self.pki / f"{name}.ext"
        names = ",".join(f"DNS:{host}" for host in hosts)
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", request, "-CA", certificate, "-CAkey", key, "-days", 20, "-extfile", extensions, "-out", leaf)
        return leaf, leaf_key

    def make_certificates(self):
        self.authority = self.make_authority("proxy")
        self.origin_authority = self.make_authority("origin")
        self.origin_leaf = self.make_leaf("server", self.origin_authority, DOMAIN, f"*.{DOMAIN}")
        # For proxies that do not mint: of no other name, so that those that do have to.
        self.static_leaf = self.make_leaf("static", self.authority, DOMAIN)

    def make_files(self):
        block = RECEIVED + random.Random(7).randbytes(MIB - len(RECEIVED))
        (self.www / "1m.bin").write_bytes(block)
        (self.www / "16k.bin").write_bytes(block[:16 << 10])
        for name, items, size in (("200", 7, 200), ("2k", 70, 2048)):
            text = '{"status":"ok","items":[' + ",".join(f'{{"id":{1000 + index},"on":true}}' for index in range(items)) + '],"note":"'
            (self.www / f"{name}.json").write_text(text + "a" * (size - 2 - len(text)) + '"}')

    def make_gibibyte(self):
        path = self.www / "1g.bin"
        if not path.exists():
            block = (self.www / "1m.bin").read_bytes()
            with path.open("wb") as file:
                for _ in range(1024):
                    file.write(block)

    def start_origin(self):
        leaf, key = self.origin_leaf
        log, sink = self.folder / "origin.log", self.folder / "sink.sock"
        configuration = self.folder / "origin.conf"
        places = """
            location / { }
            location = /sink { proxy_pass http://unix:%s:/; client_body_buffer_size 2m; client_max_body_size 0; }
        """ % sink
        configuration.write_text(NGINX % {"user": user(), "log": log, "folder": self.folder, "workers": 1} + f"""
            root {self.www};
            types {{ application/json json; application/octet-stream bin; }}
            open_file_cache max=16;
            ssl_certificate {leaf};
            ssl_certificate_key {key};
            server {{ listen 127.0.0.1:{self.port} ssl http2; ssl_session_cache shared:a:4m; {places} }}
            server {{ listen 127.0.0.1:{self.full_port} ssl; ssl_session_tickets off; ssl_session_cache off; {places} }}
            server {{ listen 127.0.0.1:{self.resumed_port} ssl; ssl_session_cache shared:b:4m; {places} }}
            server {{ listen unix:{sink}; location / {{ return 200 "{RECEIVED.decode()}"; }} }}
        }}""")
        self.origin = machine.start([program("nginx"), "-c", configuration, "-e", log], machine.OTHER_CORE, stdin=subprocess.DEVNULL)
        machine.wait_for(self.resumed_port, self.origin, log)

    def move_origin(self, cores):
        """The origin works on these cores from now on."""
        for member in machine.tree(self.origin.pid):
            os.sched_setaffinity(member, cores)

    def close(self):
        machine.end(self.origin)


# What the origin and the reference have in common.
NGINX = """
    %(user)s
    daemon off;
    worker_processes %(workers)d;
    worker_rlimit_nofile 20000;
    pid %(log)s.pid;
    error_log %(log)s;
    events { worker_connections 12000; }
    http {
        access_log off;
        keepalive_requests 1000000000;
        keepalive_timeout 300s;
        http2_max_concurrent_streams 128;
        client_body_temp_path %(folder)s/temporary-body;
        proxy_temp_path %(folder)s/temporary;
        fastcgi_temp_path %(folder)s/temporary-f;
        uwsgi_temp_path %(folder)s/temporary-u;
        scgi_temp_path %(folder)s/temporary-s;
        ssl_protocols TLSv1.2 TLSv1.3;
"""


def user():
    """Who nginx's workers are, where it would choose."""
    return "user root;" if os.geteuid() == 0 else ""


def program(name):
    """Where a program is: Debian keeps servers out of other users' PATH."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise SystemExit(f"bench: there is no {name}; Scripts/setup bench installs it")
    return path
