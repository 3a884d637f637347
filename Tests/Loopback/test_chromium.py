"""A real browser, through the proxy, with the exported authority in its store."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pki
from harness import LoopbackTest, environment_with, eventually
from origins import Nginx

NAME = "page.example"
COUNT = 100


def page():
    """A page that counts what loaded and what failed."""
    parts = ["<!doctype html><html><head><meta charset=utf-8><title>page</title><link rel=icon href='data:,'>",
             "<script>var good=0,bad=0;function ok(){good++}function no(){bad++}</script>"]
    for number in range(COUNT):
        if number % 4 == 0:
            parts.append(f"<link rel=stylesheet href=/{number}.css onload=ok() onerror=no()>")
        elif number % 4 == 1:
            parts.append(f"<script src=/{number}.js onload=ok() onerror=no()></script>")
    parts.append("</head><body>")
    for number in range(COUNT):
        if number % 4 > 1:
            parts.append(f"<img src=/{number}.svg onload=ok() onerror=no() alt=''>")
    parts.append("<p id=result>waiting</p><script>addEventListener('load',function(){"
                 "document.getElementById('result').textContent='loaded '+good+' failed '+bad})</script></body></html>")
    return "\n".join(parts)


class Chromium(LoopbackTest):
    weight = 9

    def test_page_of_100(self):
        """Headless Chromium loads a page of 100 sub-resources over TLS through the proxy without an error."""
        self.need("chromium", "certutil", "nginx")
        nginx = self.enterContext(Nginx(pki.shared().leaf(NAME)))
        (nginx.root / "index.html").write_text(page())
        for number in range(COUNT):
            kind = ("css", "js", "svg", "svg")[number % 4]
            text = {"css": f".c{number} {{ color: #123456 }}\n", "js": f"window.v{number} = {number};\n",
                    "svg": "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>"}
            (nginx.root / f"{number}.{kind}").write_text(text[kind])

        proxy = self.proxy(hosts={NAME: "127.0.0.1"})
        proxy.run("ca", "export", "--format", "pem", "-o", "exported.pem")
        home = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-chromium-"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        store = home / ".pki/nssdb"
        store.mkdir(parents=True)
        for arguments in (["-N", "--empty-password"], ["-A", "-n", "tidewaiter", "-t", "C,,", "-i", proxy.path / "exported.pem"]):
            subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True, capture_output=True, timeout=20)

        browser = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--disable-default-apps", "--disable-crash-reporter", f"--user-data-dir={home / 'profile'}",
             f"--proxy-server=127.0.0.1:{proxy.port}", "--proxy-bypass-list=<-loopback>", "--timeout=40000", "--dump-dom",
             f"https://{NAME}:{nginx.port}/"],
            env=environment_with({"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = browser.communicate(timeout=60)
        finally:
            # the browser's own children: its process group is ours alone
            try:
                os.killpg(browser.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.assertIn(f"loaded {COUNT} failed 0", out.decode("utf-8", "replace"),
                      (out[-500:], err[-1500:], proxy.errors[-10:]))

        served = [line for line in nginx.log() if line[4] == "200"]
        self.assertGreaterEqual(len({line[3] for line in served}), COUNT + 1)
        flows = eventually(lambda: [rows for rows in [proxy.flows(f"host:{NAME}")] if len(rows) > COUNT])
        self.assertTrue(flows)
        self.assertFalse([flow for flow in flows[0] if flow["error"]])
