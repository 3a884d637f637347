"""The real binary in a folder of its own, and what tests need to speak with and through it."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import pki
from wire import Wire

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# Synthetic values only: a test IMEI, the Taiwanese MCC with a made-up subscriber, reserved-looking numbers.
DEVICE = """\
name: phone
match: { ip: "127.0.0.1" }
identifiers:
  imei: ["490154203237518"]
  imsi: ["466920123456789"]
  iccid: ["8988692000000000001"]
  msisdn: ["+886912345678"]
  android_id: ["9774d56d682e549c"]
  contact_name: ["Tide Waiter QX7"]
  contact_phone: ["+886955555501"]
  carrier: ["Far Shore Mobile"]
"""

RULES_REDACT = """\
version: 1
rules:
  - id: identifiers-to-watched-regions
    description: Hardware and subscriber identifiers bound for a watched region
    when:
      region: [watched]
      direction: request
      finding: [imei, imsi, iccid, msisdn, android_id, contact_name, contact_phone, carrier]
    then: redact
    otherwise: block
    severity: high
"""

RULES_BLOCK = """\
version: 1
rules:
  - id: nothing-to-watched-regions
    description: No connection to a watched region
    when: { region: [watched] }
    then: block
"""

# A table of the form of tor-geoipdb's: the default one is half a million ranges, more than most tests need.
GEOIP = "3325256704,3325256959,TW\n3405803776,3405804031,CN\n"
GEOIP6 = "2001:db8:c::,2001:db8:c:ffff:ffff:ffff:ffff:ffff,CN\n"


def binary():
    named = os.environ.get("TIDEWAITER_BIN")
    path = pathlib.Path(named) if named else REPOSITORY / ".build/debug/tidewaiter"
    if not path.exists():
        raise SystemExit(f"{path} is not there: run `swift build`, or set TIDEWAITER_BIN")
    return path.resolve()


def environment_with(changes=None):
    """Our environment without what would steer the product or its clients: the tests say all of that themselves."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("TIDEWAITER_") and not name.lower().endswith("_proxy")}
    return {**kept, **(changes or {})}


def merged(base, changes):
    result = dict(base)
    for key, value in changes.items():
        is_section = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if is_section else value
    return result


def eventually(question, wait=8.0):
    """The first true answer to `question`, or the last one given within `wait` seconds."""
    deadline = time.monotonic() + wait
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.03)
    return answer


def parse_json(text):
    """Rows of `--json` output: an array, or one object a line."""
    text = text.strip()
    if not text:
        return []
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]
    return value if isinstance(value, list) else [value]


def lines_of(case):
    """The lines of a case's log, over all its segments; without one that is just being written."""
    return [line for file in sorted((case / "log").iterdir()) for line in file.read_bytes().split(b"\n")[:-1]]


class Folder:
    """A working folder of an operator's: the configuration, rules, devices, and the command line in it."""

    def __init__(self, *, mode="record", hosts=None, rules=RULES_REDACT, device=DEVICE, config=None, path=None):
        self.is_own = path is None
        self.path = pathlib.Path(path or tempfile.mkdtemp(prefix="tidewaiter-test-"))
        self.config = merged({
            "version": 1,
            "mode": mode,
            "listen": {"proxy": ["127.0.0.1:0"]},
            "ui": {"listen": "127.0.0.1:0"},
            "ca": {"dir": "certs"},
            "tls": {"upstream_roots": "roots.pem"},
            "upstream": {"hosts": dict(hosts or {}), "allow_special_use": ["127.0.0.0/8"]},
            "regions": {"databases": ["geoip", "geoip6"], "watch": ["CN"],
                        "sets": {"lab-cn": {"country": "CN", "cidr": ["127.66.0.0/16"]}}},
            "devices": "devices",
            "rules": ["rules.yaml"],
            "case": {"dir": "cases", "name": "case", "fsync": "50ms"},
            "loops": 2,
        }, config or {})
        self.write("geoip", GEOIP)
        self.write("geoip6", GEOIP6)
        self.write("rules.yaml", rules)
        self.write("devices/phone.yaml", device)
        self.write("roots.pem", pki.shared().roots.read_text())
        self.write_config()

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def write_config(self):
        # JSON is YAML 1.2, and the standard library writes it
        self.write("tidewaiter.yaml", json.dumps(self.config, indent=2))

    def run(self, *arguments, expect=0, wait=60, environment=None, binary_output=False, umask=-1):
        """One command of the product's, in this folder; `expect` None takes any exit code."""
        done = subprocess.run(
            [binary(), *map(str, arguments)], cwd=self.path, capture_output=True, timeout=wait, umask=umask,
            stdin=subprocess.DEVNULL, env=environment_with(environment))
        out = done.stdout if binary_output else done.stdout.decode("utf-8", "replace")
        err = done.stderr.decode("utf-8", "replace")
        if expect is not None and done.returncode != expect:
            words = " ".join(map(str, arguments))
            raise AssertionError(f"`tidewaiter {words}` ended with {done.returncode}, not {expect}:\n{err}{out}")
        return Output(done.returncode, out, err)

    def rows(self, *arguments):
        return parse_json(self.run(*arguments, "--json").out)

    def close(self):
        if self.is_own:
            shutil.rmtree(self.path, ignore_errors=True)


class Output:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Proxy(Folder):
    """`tidewaiter run`, ready; stopped by SIGTERM, which must end it with 0."""

    def __init__(self, *, arguments=(), environment=None, umask=-1, before_start=None, preexec=None, **folder):
        super().__init__(**folder)
        self.process = None
        try:
            if before_start:
                before_start(self)
            self.start(*arguments, environment=environment, umask=umask, preexec=preexec)
        except BaseException:
            self.close()
            raise

    def start(self, *arguments, environment=None, umask=-1, preexec=None):
        self.lines, self.errors = [], []
        self.process = subprocess.Popen(
            [binary(), "run", "-c", "tidewaiter.yaml", *arguments], cwd=self.path, umask=umask,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace", env=environment_with(environment), preexec_fn=preexec)
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in (
            (self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()
        if not eventually(lambda: "ready" in self.lines or self.process.poll() is not None, 30) \
                or "ready" not in self.lines:
            self.kill()
            raise AssertionError(f"the proxy does not start:\n{self.said()}")
        found = [match for line in self.lines if (match := re.match(r"proxy\s+http://(\S+):(\d+)", line))]
        self.address, self.port = "127.0.0.1", int(found[0].group(2))

    def _read(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def said(self):
        """What the proxy said, for a failure's message: of a crash only the thread that crashed."""
        crash = next((index for index, line in enumerate(self.errors) if line.startswith("***")), len(self.errors))
        thread = next((index for index, line in enumerate(self.errors) if line.endswith("crashed:")), len(self.errors))
        return "\n".join(self.errors[:crash][-30:] + self.errors[thread:thread + 12])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def case(self):
        return self.path / "cases" / "case"

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Ends the proxy as an operator would; the case is sealed when this returns."""
        self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("SIGTERM did not end the proxy in 20 s") from None
        self._finish()
        if code != 0:
            raise AssertionError(f"the proxy ended with {code}:\n{self.said()}")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._finish()

    def _finish(self):
        for reader in self.readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()

    def close(self):
        try:
            if self.process and self.process.poll() is None:
                self.stop()
        finally:
            super().close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # What a device does.

    def context(self, maximum=None, alpn=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.path / "certs/ca.crt")
        if maximum:
            context.maximum_version = maximum
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def dial(self, wait=20):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=wait)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Wire(sock)

    def connect(self, authority, fields=()):
        """CONNECT; the answer and the wire, which is the tunnel if the answer is 200."""
        wire = self.dial()
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *fields]
        wire.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        return wire.response("CONNECT"), wire

    def tunnel(self, host, port, *, sni=None, context=None):
        """A TLS connection through the proxy, verified against the proxy's own authority."""
        answer, wire = self.connect(f"{host}:{port}")
        if answer.status != 200:
            wire.close()
            raise AssertionError(f"CONNECT answered {answer.start}: {answer.body.decode('utf-8', 'replace')}")
        try:
            secure = (context or self.context()).wrap_socket(
                wire.sock, server_hostname=sni or host, suppress_ragged_eofs=False)
        except BaseException:
            wire.close()
            raise
        return Wire(secure)

    def http2(self, host, port, *, alpn=("h2",), sni=None, **end):
        """An HTTP/2 connection through the proxy."""
        import http2  # the suites that do without it need no virtual environment

        wire = self.tunnel(host, port, sni=sni, context=self.context(alpn=list(alpn)))
        chosen = wire.sock.selected_alpn_protocol()
        if chosen != "h2":
            wire.close()
            raise AssertionError(f"the proxy chose {chosen}, not h2")
        return http2.Endpoint(wire.sock, is_client=True, **end)

    def fetch(self, host, port, path="/", method="GET", body=None, fields=()):
        """One request over TLS through the proxy."""
        with self.tunnel(host, port) as wire:
            name = host if port == 443 else f"{host}:{port}"
            return wire.request(method, path, name, body, [*fields, ("Connection", "close")])

    # What its operator sees.

    def flows(self, *filters):
        return self.rows("flows", *filters, "--case", "case")

    def findings(self, *filters):
        return self.rows("findings", *filters, "--case", "case")

    def flow_of(self, word, ended=True):
        """The flow whose URL holds `word`, once it is in the case."""
        def look():
            found = [flow for flow in self.flows() if word in (flow.get("url") or "")]
            return found[0] if found and (found[0].get("ended") or not ended) else None
        flow = eventually(look)
        if flow is None:
            raise AssertionError(f"no flow with {word} in its URL: {self.flows()}")
        return flow


class LoopbackTest(unittest.TestCase):
    """A test whose docstring says in a sentence what holds."""

    def proxy(self, **arguments):
        made = self.enterContext(Proxy(**arguments))
        self.begun = [*getattr(self, "begun", []), made]
        return made

    def circumstances(self):
        """What to know of the others when the test fails: what its proxies said, or the one it shares."""
        proxies = getattr(self, "begun", None) or [shared for shared in [getattr(self, "shared", None)] if shared]
        said = [proxy.said() for proxy in proxies if isinstance(proxy, Proxy)]
        return "\n".join(f"the proxy said:\n{words}" for words in said if words)

    def origin(self, handler=None, **arguments):
        from origins import Origin
        return self.enterContext(Origin(handler, **arguments))

    def tls_origin(self, *names, handler=None, kind="good", **arguments):
        return self.origin(handler, leaf=pki.shared().leaf(*names, kind=kind), **arguments)

    def need(self, *tools):
        missing = [tool for tool in tools if not shutil.which(tool) and not pathlib.Path("/usr/sbin", tool).exists()]
        if missing and os.environ.get("CI"):
            self.fail(f"{', '.join(missing)} missing, and $CI allows no skipping")
        if missing:
            self.skipTest(f"{', '.join(missing)} missing")

    def assertOneClearLine(self, text, *words):
        lines = [line for line in text.splitlines() if line.strip()]
        self.assertEqual(len(lines), 1, text)
        for word in words:
            self.assertIn(word, lines[0])
        for noise in ("Fatal error", "Error(", "Optional(", "Swift."):
            self.assertNotIn(noise, lines[0])


def alert_of(error):
    """The alert's name as the RFCs have it, from the reason that Python's ssl gives."""
    reason = (getattr(error, "reason", None) or str(error)).lower()
    return re.sub(r"^(tlsv1|sslv3|tlsv13)_(alert_)?", "", reason)
