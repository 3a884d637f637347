"""Headless Chromium as a camera: how wide a file's page is, what it looks like on a screen and on paper."""

import base64

from devtools import DevTools
from harness import eventually


class Camera(DevTools):
    """One page, which nothing but the file shows itself in."""

    start = "about:blank"

    def show(self, file, width, height=900, scale=1):
        """Opens a file on a screen of this size; how wide its page then is."""
        self.width = width
        self.call("Emulation.setDeviceMetricsOverride", self.session, width=width, height=height, deviceScaleFactor=scale, mobile=width < 500)
        self.call("Page.navigate", self.session, url=file.as_uri())
        there = f"document.readyState === 'complete' && location.href === '{file.as_uri()}'"
        if not eventually(lambda: self.evaluate(there), 30):
            raise AssertionError(f"{file} does not load")
        return self.evaluate("document.documentElement.scrollWidth")

    def picture(self, file, top, bottom):
        """Writes what stands between two heights of the page."""
        clip = {"x": 0, "y": top, "width": self.width, "height": bottom - top, "scale": 1}
        shot = self.call("Page.captureScreenshot", self.session, format="png", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def printed(self, file):
        """Writes the page as it is printed, PDF."""
        done = self.call("Page.printToPDF", self.session, preferCSSPageSize=True, printBackground=True)
        file.write_bytes(base64.b64decode(done["data"]))
