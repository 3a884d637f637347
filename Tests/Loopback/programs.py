"""HTTP/2 programs that are not ours: nghttpd and nginx as servers, socat to bring clients that know no proxy to ours."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import environment_with
from origins import Nginx
from ports import free_port

STARTS = 5  # the kernel's free port may be taken by another before the program has it


class Program:
    """A process in a group of its own that listens at `port`."""

    def __init__(self, command_at, *, address="127.0.0.1"):
        self.address = address
        for _ in range(STARTS):
            self.port = free_port(address)
            self.lines = []
            self.process = subprocess.Popen(
                [*map(str, command_at(self.port))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True, env=environment_with())
            threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
            if self._listens():
                return
            self.stop()
        raise RuntimeError("does not start: " + "\n".join(self.lines))

    def _read(self, stream):
        for line in stream:
            self.lines.append(line.rstrip("\n"))

    def _listens(self):
        # looked up, not tried: a connection would be one more for the server to count
        mark = f"{int.from_bytes(socket.inet_aton(self.address), 'little'):08X}:{self.port:04X} 00000000:0000 0A"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            if mark in pathlib.Path("/proc/net/tcp").read_text():
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        # the group: socat's children are its own processes
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    close = stop

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Nghttpd(Program):
    """nghttp2's server over a folder; its own lines say which frames it saw."""

    def __init__(self, leaf, *arguments):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-nghttpd-"))
        program = shutil.which("nghttpd") or "/usr/sbin/nghttpd"
        try:
            super().__init__(lambda port: [program, "-v", "-a", "127.0.0.1", "-d", self.root,
                                           *arguments, port, leaf[1], leaf[0]])
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    def close(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


class Bridge(Program):
    """A port that leads through the proxy to `host:port`, for clients that know no proxy."""

    def __init__(self, proxy, host, port):
        super().__init__(lambda own: [
            "socat", f"TCP-LISTEN:{own},bind=127.0.0.1,fork,reuseaddr,nodelay",
            f"PROXY:127.0.0.1:{host}:{port},proxyport={proxy.port},nodelay"])


class NginxHTTP2(Nginx):
    """nginx with HTTP/2; its log says the protocol of each request too."""

    CONFIG = Nginx.CONFIG.replace("ssl;", "ssl http2;").replace("$uri $status'", "$uri $status $server_protocol'") \
        .replace("keepalive_requests 10000;", "keepalive_requests 100000;")


def run(*command, wait=60, cwd=None):
    """A client's output, both streams; what it said if it fails."""
    done = subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, timeout=wait, cwd=cwd,
                          env=environment_with())
    if done.returncode:
        raise AssertionError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
    return done.stdout
