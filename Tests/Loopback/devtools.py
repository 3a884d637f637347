"""Chromium's developer tools without a window: what their own importer makes of an archive."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from websockets.sync.client import connect

from harness import environment_with, eventually

IMPORT = """
(async () => {
  const har = await import(new URL('./models/har/har.js', location.href).href);
  const log = new har.HARFormat.HARRoot(JSON.parse(ARCHIVE)).log;
  const requests = har.Importer.Importer.requestsFromHARLog(log);
  return JSON.stringify(await Promise.all(requests.map(async request => {
    const content = await request.requestContentData();
    return {
      url: request.url(), method: request.requestMethod, status: request.statusCode, address: request.remoteAddress(),
      milliseconds: (request.endTime - request.startTime) * 1000,
      messages: request.frames().map(frame => [frame.type, frame.opCode, frame.text]),
      content: 'error' in content ? null : content.isTextContent ? content.text : content.base64,
    };
  })));
})()
"""


class DevTools:
    """A headless browser that shows its own developer tools, and no page."""

    start = "devtools://devtools/bundled/inspector.html"

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-devtools-"))
        self.socket, self.count = None, 0
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
             f"--user-data-dir={self.home / 'profile'}", "--remote-debugging-port=0", "about:blank"],
            env=environment_with({"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config")}),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self):
        file = self.home / "profile/DevToolsActivePort"
        if not eventually(lambda: file.exists() and len(file.read_text().splitlines()) == 2, 30):
            raise AssertionError("Chromium does not start")
        port, path = file.read_text().splitlines()
        self.socket = connect(f"ws://127.0.0.1:{port}{path}", proxy=None, max_size=None).__enter__()
        target = self.call("Target.createTarget", url=self.start)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        if not eventually(lambda: self.evaluate("document.readyState") == "complete", 30):
            raise AssertionError("the developer tools do not load")

    def call(self, method, session=None, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        self.socket.send(json.dumps({**message, "sessionId": session} if session else message))
        while True:
            answer = json.loads(self.socket.recv(60))
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", self.session, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"])
        return result["result"].get("value")

    def requests_of(self, archive):
        """The requests that the importer finds in the text of an archive."""
        return json.loads(self.evaluate(IMPORT.replace("ARCHIVE", json.dumps(archive))))

    def close(self):
        try:
            if self.socket:
                self.socket.close()
        finally:
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
