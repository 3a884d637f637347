"""Headless Chromium, driven by its own DevTools protocol: what a page became, what it complained of, how it looks."""

import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from websockets.sync.client import connect

from harness import environment_with, eventually


class Browser:
    """A browser with a fresh profile that uses the proxy and trusts its exported authority."""

    def __init__(self, proxy):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-chromium-"))
        self.process = self.page = None
        self.complaints, self.count = [], 0
        try:
            self._trust(proxy)
            self._start(proxy)
        except BaseException:
            self.close()
            raise

    def _trust(self, proxy):
        proxy.run("ca", "export", "--format", "pem", "-o", "exported.pem")
        store = self.home / ".pki/nssdb"
        store.mkdir(parents=True)
        for arguments in (["-N", "--empty-password"], ["-A", "-n", "tidewaiter", "-t", "C,,", "-i", proxy.path / "exported.pem"]):
            subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True, capture_output=True, timeout=20)

    def _start(self, proxy):
        profile = self.home / "profile"
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--disable-default-apps", "--disable-crash-reporter", "--window-size=1000,700", f"--user-data-dir={profile}",
             f"--proxy-server=127.0.0.1:{proxy.port}", "--proxy-bypass-list=<-loopback>", "--remote-debugging-port=0", "about:blank"],
            env=environment_with({"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config")}),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        file = profile / "DevToolsActivePort"
        if not eventually(lambda: file.exists() and len(file.read_text().splitlines()) == 2, 30):
            raise AssertionError("Chromium does not start")
        port = file.read_text().splitlines()[0]
        # no proxy of the environment's between us and the browser
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def pages():
            with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                return [target for target in json.load(answer) if target["type"] == "page"]
        self.page = connect(pages_url(eventually(pages)), proxy=None, max_size=None).__enter__()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """The result of a command; what the page complains of meanwhile is kept."""
        self.count += 1
        self.page.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.page.recv(30))
            if message.get("id") == self.count:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._hear(message.get("method"), message.get("params", {}))

    def _hear(self, event, parameters):
        if event == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(parameters["args"])
        elif event == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"])
        elif event == "Network.loadingFailed" and not parameters.get("canceled"):  # by the page itself
            self.complaints.append(parameters["errorText"])

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def result_of(self, url, wait=30):
        """What the page says in its element `result` once its title is `done`, or when `wait` seconds are over."""
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + wait
        while self.evaluate("document.title") != "done" and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.evaluate("(document.getElementById('result') || document.body).textContent")

    def screenshot(self, name):
        """Keeps a picture of the page in $TIDEWAITER_SHOTS, if that is set."""
        folder = os.environ.get("TIDEWAITER_SHOTS")
        if folder:
            picture = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            pathlib.Path(folder, f"{name}.png").write_bytes(picture)

    def close(self):
        try:
            if self.page:
                self.page.close()
        finally:
            if self.process:
                # the browser's own children: its process group is ours alone
                try:
                    os.killpg(self.process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                self.process.wait()
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def pages_url(pages):
    if not pages:
        raise AssertionError("Chromium has no page")
    return pages[0]["webSocketDebuggerUrl"]
