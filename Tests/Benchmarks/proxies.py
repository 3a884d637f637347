"""The proxies that are compared: how each is set up, and which ways through it there are."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import machine
from laboratory import DOMAIN, NGINX, program, user

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A way is how a case's connections go: `keep` pools connections to the origin, `full` makes both handshakes
# whole, `resumed` resumes both, `mint` asks for a name never seen before.
KEEP, FULL, RESUMED, MINT = "keep", "full", "resumed", "mint"

# A phone's values, one of each kind that a profile knows.
PHONE = {
    "imei": ["490154203237518"], "meid": ["A10000009296F2"], "imsi": ["466920123456789"], "iccid": ["8988692000000000001"], "msisdn": ["+886912345678"],
    "serial": ["c61fbc9e7d25"], "android_id": ["9774d56d682e549c"], "gaid": ["f863bff5-5648-48c0-be98-b209e5c95708"],
    "oaid": ["0b4d3f6a9c1e7258"], "wifi_mac": ["e4:34:f1:2f:5b:17"], "bt_mac": ["e4:34:f1:2f:5b:18"], "bssid": ["70:4f:57:aa:01:9e"],
    "ssid": ["harbour-attic-5g"], "email": ["mei.harbour77@post.example"], "account_id": ["6604112097"], "gps": ["25.0330,121.5654"],
    "carrier": ["Formosa Harbour Telecom"], "contact_name": ["Tide Waiter QX7"], "contact_phone": ["+886955555501"],
    "sms_text": ["See you at the quay at seven, don't tell."],
}


class Proxy:
    """One that runs. `ports` are its ways; `connects` says whether it is told where to go by CONNECT."""

    connects = True
    # Whose leaves it shows.
    verified_by = "proxy"
    cores = (machine.PROXY_CORE,)
    # What it is measured in, if not in everything that its ways allow.
    cases = None

    def __init__(self, laboratory, folder):
        self.laboratory = laboratory
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self.log = folder / "log"
        self.ports = {}
        self.launch(self.write())

    def launch(self, command):
        self.process = machine.start(command, *self.cores, stdin=subprocess.DEVNULL, stdout=self.log.open("ab"), stderr=subprocess.STDOUT, cwd=self.folder)
        try:
            self.wait()
        except BaseException:
            machine.end(self.process)
            raise

    def wait(self):
        machine.wait_for(next(iter(self.ports.values())), self.process, self.log)

    @property
    def pid(self):
        return self.process.pid

    def authority_port(self, way):
        """Where the origin answers this way."""
        lab = self.laboratory
        return {KEEP: lab.port, FULL: lab.full_port, RESUMED: lab.resumed_port, MINT: lab.full_port}[way]

    def close(self):
        machine.end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Proxy):
    """Ends TLS, reads nothing and encrypts again; a static leaf, no CONNECT."""

    name, title, ways = "nginx", "nginx", (KEEP, FULL, RESUMED)
    connects = False
    workers = 1

    def write(self):
        lab = self.laboratory
        leaf, key = lab.static_leaf
        self.ports = dict(zip(self.ways, machine.free_ports(3)))
        servers = ""
        for way, port in self.ports.items():
            reuses = "off" if way == FULL else "on"
            connection = 'proxy_set_header Connection "";' if way == KEEP else "proxy_set_header Connection close;"
            # Tickets are given to all, as Tidewaiter gives them; who does not come back with one makes a full handshake.
            cache = "" if way == FULL else f"ssl_session_cache shared:{way}:4m;"
            servers += f"""
            upstream {way} {{ server 127.0.0.1:{self.authority_port(way)}; {"keepalive 256; keepalive_requests 1000000000;" if way == KEEP else ""} }}
            server {{
                listen 127.0.0.1:{port} ssl{" http2" if way == KEEP else ""}{" reuseport" if self.workers > 1 else ""};
                {cache}
                location / {{ proxy_pass https://{way}; {connection} proxy_ssl_session_reuse {reuses}; }}
            }}"""
        configuration = self.folder / "nginx.conf"
        configuration.write_text(NGINX % {"user": user(), "log": self.log, "folder": self.folder, "workers": self.workers} + f"""
            ssl_certificate {leaf};
            ssl_certificate_key {key};
            client_max_body_size 0;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_ssl_protocols TLSv1.2 TLSv1.3;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {lab.origin_authority[0]};
            proxy_ssl_server_name on;
            proxy_ssl_name {DOMAIN};
            {servers}
        }}""")
        return [program("nginx"), "-c", configuration, "-e", self.log]


class Squid(Proxy):
    """Bumps, with leaves that it mints: by the CONNECT name, or as the origin's own where it has to look first."""

    name, title, ways = "squid", "Squid", (KEEP, FULL, MINT)

    def write(self):
        lab = self.laboratory
        certificate, key = lab.authority
        pair, hosts, store = self.folder / "ca.pem", self.folder / "hosts", self.folder / "leaves"
        pair.write_bytes(certificate.read_bytes() + key.read_bytes())
        hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in lab.names))
        helper = next((path for path in ("/usr/lib/squid/security_file_certgen", "/usr/libexec/squid/security_file_certgen") if os.path.exists(path)), None)
        if helper is None:
            raise SystemExit("bench: Squid's security_file_certgen is missing: Debian has it in squid-openssl")
        subprocess.run([helper, "-c", "-s", store, "-M", "64MB"], check=True, stdout=subprocess.DEVNULL)
        keep, fresh = machine.free_ports(2)
        self.ports = {KEEP: keep, FULL: fresh, MINT: fresh}
        bump = f"ssl-bump tls-cert={pair} generate-host-certificates=on dynamic_cert_mem_cache_size=64MB"
        configuration = self.folder / "squid.conf"
        configuration.write_text(f"""
            http_port 127.0.0.1:{keep} name=keep {bump}
            http_port 127.0.0.1:{fresh} name=fresh {bump}
            acl looks_first myportname fresh
            acl first at_step SslBump1
            ssl_bump peek looks_first first
            ssl_bump bump all
            sslcrtd_program {helper} -s {store} -M 64MB
            sslcrtd_children 2 startup=2 idle=1
            tls_outgoing_options cafile={lab.origin_authority[0]}
            hosts_file {hosts}
            http_access allow all
            cache deny all
            cache_mem 0 MB
            access_log none
            cache_store_log none
            cache_log {self.folder}/cache.log
            pid_filename none
            netdb_filename none
            coredump_dir {self.folder}
            visible_hostname bench
            pinger_enable off
            max_filedescriptors 20000
            client_idle_pconn_timeout 5 minutes
            pconn_timeout 5 minutes
            shutdown_lifetime 0 seconds
        """.replace("            ", ""))
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, "proxy")
        return [program("squid"), "-N", "-f", configuration]


class HAProxy(Proxy):
    """Mints a leaf for each name that it is asked for; no CONNECT."""

    name, title, ways = "haproxy", "HAProxy", (MINT,)
    connects = False

    def write(self):
        lab = self.laboratory
        (self.folder / "leaf.pem").write_bytes(lab.static_leaf[0].read_bytes() + lab.static_leaf[1].read_bytes())
        (self.folder / "ca.pem").write_bytes(lab.authority[0].read_bytes() + lab.authority[1].read_bytes())
        # It gives each context that it makes DH parameters of 1,024 bits. At Debian's security level OpenSSL refuses
        # them, and what that leaves in the error queue ends the connection for which it minted.
        (self.folder / "openssl.cnf").write_text("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n[default]\nCipherString = DEFAULT:@SECLEVEL=1\n")
        self.ports = dict(zip(self.ways, machine.free_ports(1)))
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text(f"""
global
    nbthread 1
    tune.ssl.ssl-ctx-cache-size 20000
defaults
    mode http
    timeout connect 10s
    timeout client 300s
    timeout server 300s
listen minting
    bind 127.0.0.1:{self.ports[MINT]} ssl crt {self.folder}/leaf.pem ca-sign-file {self.folder}/ca.pem generate-certificates
    http-reuse never
    server origin 127.0.0.1:{self.authority_port(MINT)} ssl verify required ca-file {lab.origin_authority[0]} sni ssl_fc_sni no-ssl-reuse
""")
        return ["env", f"OPENSSL_CONF={self.folder}/openssl.cnf", program("haproxy"), "-db", "-f", configuration]


class Relay(Proxy):
    """HAProxy again, as a bare relay of bytes: what two sockets cost."""

    name, title, ways = "relay", "TCP relay", (KEEP,)
    cases = ("lat1", "passed")
    connects = False
    verified_by = "origin"

    def write(self):
        self.ports = dict(zip(self.ways, machine.free_ports(1)))
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text(f"""
global
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 300s
    timeout server 300s
listen relay
    bind 127.0.0.1:{self.ports[KEEP]}
    server origin 127.0.0.1:{self.authority_port(KEEP)}
""")
        return [program("haproxy"), "-db", "-f", configuration]


class Tidewaiter(Proxy):
    """This product, with its default rules and every kind of value in the device's profile; one loop."""

    ways = (KEEP, FULL, RESUMED, MINT)
    binary = ROOT / ".build/release/tidewaiter"
    starts = 0
    # Of the configuration's sections, in place of those below; and what `tls` has besides.
    changes = {}
    tls = {}

    def write(self):
        lab = self.laboratory
        certs, devices = self.folder / "certs", self.folder / "devices"
        certs.mkdir(mode=0o700)
        devices.mkdir()
        for source, name, mode in ((lab.authority[0], "ca.crt", 0o644), (lab.authority[1], "ca.key", 0o600)):
            shutil.copyfile(source, certs / name)
            (certs / name).chmod(mode)
        device = {"name": "phone", "match": {"ip": "127.0.0.1"}, "identifiers": PHONE}
        (devices / "phone.yaml").write_text(json.dumps(device))
        self.port, = machine.free_ports(1)
        self.ports = dict.fromkeys(self.ways, self.port)
        # JSON is YAML.
        self.configuration = self.folder / "tidewaiter.yaml"
        self.configuration.write_text(json.dumps({
            "version": 1, "mode": self.mode, "loops": 1,
            "listen": {"proxy": [f"127.0.0.1:{self.port}"], "allow": ["loopback"]},
            "ui": {"listen": "127.0.0.1:0"},
            "ca": {"dir": "certs"},
            "tls": {"upstream_roots": str(lab.origin_authority[0]), **self.tls},
            "upstream": {"hosts": dict.fromkeys(lab.names, "127.0.0.1"), "allow_special_use": ["127.0.0.0/8"]},
            "devices": "devices", "rules": [str(ROOT / "rules/default.yaml")],
            "case": {"dir": "cases", "name": "auto"},
            "log": {"level": "error"},
            **self.changes,
        }))
        return [self.binary, "run", "-c", self.configuration]

    def again(self):
        """Ends it and starts it once more, as it was; says when it did."""
        machine.end(self.process)
        begun = time.monotonic()
        self.launch([self.binary, "run", "-c", self.configuration])
        return begun

    def wait(self):
        # Its port is held for a moment before there is somebody to answer on it.
        self.starts += 1
        machine.wait_until(lambda: self.log.read_bytes().count(b"\nready\n") == self.starts, self.process, self.log)


class Observing(Tidewaiter):
    name, title, mode = "observe", "Tidewaiter, `observe`", "observe"


class Recording(Tidewaiter):
    name, title, mode = "record", "Tidewaiter, `record`", "record"


class RecordingWithoutWire(Recording):
    name, title = "record-no-wire", "Tidewaiter, `record` with `wire: false`"
    cases = ("2k", "h2-2k", "1m", "up1m")
    changes = {"case": {"dir": "cases", "name": "auto", "wire": False}}


class Passing(Tidewaiter):
    """Relays undecrypted what it would intercept."""

    name, title, mode, ways = "passing", "Tidewaiter, undecrypted", "observe", (KEEP,)
    cases = ("passed",)
    verified_by = "origin"
    tls = {"passthrough": [DOMAIN]}


ALL = (Relay, Nginx, HAProxy, Squid, Observing, Recording, RecordingWithoutWire, Passing)
