"""The report: one HTML file that says what the case says, no more, and whose commands work."""

import base64
import hashlib
import html
import html.parser
import json
import re
import shutil
import subprocess
import urllib.parse

import pki
from camera import Camera
from harness import REPOSITORY, LoopbackTest, Proxy, binary, environment_with
from identifiers import CARRIER, CONTACT, CONTACT_NAME, HOSTS, IMEI, IMSI, OUTSIDE, OWN, SPELLINGS, WATCHED, cut_digest
from origins import Origin

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(html.parser.HTMLParser):
    """A document taken apart: its elements in order, with their text; unclosed or crossed elements are an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.declaration = [], [], None
        self.feed(text)
        self.close()
        if self.open:
            raise AssertionError(f"not closed: {[element['name'] for element in self.open]}")

    def handle_decl(self, declaration):
        self.declaration = declaration

    def handle_starttag(self, name, attributes):
        element = {"name": name, "attributes": dict(attributes), "text": "",
                   "inside": [other["name"] for other in self.open]}
        self.elements.append(element)
        if name not in VOID:
            self.open.append(element)

    def handle_endtag(self, name):
        if not self.open or self.open[-1]["name"] != name:
            raise AssertionError(f"</{name}> closes {self.open[-1]['name'] if self.open else 'nothing'}")
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, name, class_=None):
        return [element for element in self.elements if element["name"] == name
                and (class_ is None or class_ in (element["attributes"].get("class") or "").split())]

    def one(self, name, class_=None, id_=None):
        found = [element for element in self.all(name, class_)
                 if id_ is None or element["attributes"].get("id") == id_]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} elements {name}.{class_}#{id_}, not 1")
        return found[0]

    @property
    def said(self):
        return self.one("p", "said")["text"]


class Report(LoopbackTest):
    """`tidewaiter report` of a case with what the 2014 client sent, and of a few newer ways."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts=HOSTS))
        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        watched = cls.enterClassContext(Origin(leaf=leaf, address="127.66.0.1"))
        outside = cls.enterClassContext(Origin(leaf=leaf))
        cls.shared.run("mark", "SIM inserted")
        nested = base64.b64encode(json.dumps({"dev": {"imsi": IMSI}}).encode()).decode()
        for host, server, path, body, fields in (
                (WATCHED, watched, "/v1/report", json.dumps({"d": {"imei": IMEI, "op": CARRIER}}).encode(), ()),
                (WATCHED, watched, "/v1/nested", urllib.parse.urlencode({"data": nested}).encode(),
                 (("Content-Type", "application/x-www-form-urlencoded"),)),
                (WATCHED, watched, f"/pass/activate/dev/{cut_digest(IMEI)}/activating?imsi={cut_digest(IMSI)}", None, ()),
                (OUTSIDE, outside, "/v1/elsewhere", json.dumps({"tel": OWN}).encode(), ())):
            cls.shared.fetch(host, server.port, path, "POST" if body else "GET", body, fields)
        cls.shared.run("mark", "Consent screen <b>shown</b>")
        hostile = json.dumps({"note": "</script><img src=x>\u202e", "name": CONTACT_NAME, "tel": CONTACT}, ensure_ascii=False)
        cls.shared.fetch(WATCHED, watched.port, "/v1/contacts", "POST", hostile.encode())
        cls.shared.stop()

    def report(self, *arguments):
        name = f"{self._testMethodName}.html"
        self.shared.run("report", "case", "-o", name, *arguments)
        return (self.shared.path / name).read_text("utf-8")

    def test_answer(self):
        """The first sentence counts what went to the watched region before the consent screen, and says nothing of why."""
        page = Page(self.report())
        self.assertRegex(page.said, r"^In \d+ seconds?, before the mark “Consent screen <b>shown</b>”, the device “phone” sent ")
        self.assertIn("its IMEI 2 times to 1 host", page.said)
        self.assertIn("its IMSI 2 times to 1 host", page.said)
        self.assertTrue(page.said.endswith(" in China (CN)."), page.said)
        for word in ("steal", "leak", "spy", "secretly", "malicious", "tried"):
            self.assertNotIn(word, page.one("body")["text"].lower())

    def test_chinese(self):
        """In Chinese it says the same, and nothing but names is in another language."""
        page = Page(self.report("--lang", "zh-TW", "--protocol", "first-boot"))
        self.assertEqual(page.one("html")["attributes"]["lang"], "zh-TW")
        self.assertIn("其 IMEI 2 次（1 個主機）", page.said)
        self.assertIn("位於中國（CN）之主機", page.said)
        for name in ("h1", "h2", "h3", "h4", "dt", "caption", "p"):
            for element in page.all(name):
                if not element["text"].strip() or element["attributes"].get("class") in ("brand", "request", "bytes"):
                    continue
                self.assertRegex(element["text"], r"[\u4e00-\u9fff]|^SHA-256", (name, element["text"]))

    def test_widths(self):
        """On a telephone, a tablet and a laptop a page is no wider than the screen, in both languages; printed it is a PDF."""
        self.need("chromium")
        with Camera() as camera:
            for language in ("en", "zh-TW"):
                self.report("--lang", language, "--protocol", "first-boot")
                page = self.shared.path / f"{self._testMethodName}.html"
                for width in (360, 390, 710, 820, 1280):
                    with self.subTest(f"{language}, {width}"):
                        self.assertLessEqual(camera.show(page, width), width)
                camera.printed(self.shared.path / "report.pdf")
                self.assertTrue((self.shared.path / "report.pdf").read_bytes().startswith(b"%PDF-"))

    def test_is_well_formed_and_self_contained(self):
        """Elements nest, nothing is fetched or run, and each table's cells have headings."""
        for language in ("en", "zh-TW"):
            page = Page(self.report("--lang", language, "--protocol", "first-boot"))
            self.assertEqual(page.declaration, "DOCTYPE html")
            for name in ("script", "img", "link", "iframe", "object", "form", "input", "base"):
                self.assertEqual(page.all(name), [], name)
            for element in page.elements:
                for key, value in element["attributes"].items():
                    self.assertFalse(key.startswith("on") or key in ("src", "style", "srcset"), (key, value))
                    if key == "href":
                        self.assertTrue(value.startswith("#"), value)
            ids = [element["attributes"]["id"] for element in page.elements if "id" in element["attributes"]]
            self.assertEqual(len(ids), len(set(ids)))
            for link in page.all("a"):
                self.assertIn(link["attributes"]["href"][1:], ids)
            policy = next(
                meta for meta in page.all("meta") if meta["attributes"].get("http-equiv") == "Content-Security-Policy")
            self.assertIn("default-src 'none'", policy["attributes"]["content"])
            digest = base64.b64encode(hashlib.sha256(page.one("style")["text"].encode()).digest()).decode()
            self.assertIn(f"style-src 'sha256-{digest}'", policy["attributes"]["content"])
            for table in page.all("table"):
                self.assertNotEqual(table["text"].strip(), "")
            for heading in page.all("th"):
                self.assertIn(heading["attributes"].get("scope"), ("col", "row"))
            for drawing in page.all("svg"):
                attributes = drawing["attributes"]
                self.assertTrue(attributes.get("aria-label") or attributes.get("aria-hidden")
                                or attributes.get("role") == "presentation", attributes)

    def test_exhibits(self):
        """Each value is boxed where it was sent, by the way it was wrapped, with the region's database and its digest."""
        text = self.report()
        page = Page(text)
        boxes = [mark["text"] for mark in page.all("mark")]
        for value in (IMEI, IMSI, CARRIER, CONTACT_NAME, CONTACT, OWN):
            self.assertIn(value, boxes)
        chains = [[step for step in re.findall(r"<li><span>(.*?)</span></li>", chain)]
                  for chain in re.findall(r'<ol class="chain">(.*?)</ol>', text)]
        self.assertIn(["body", "JSON<code>$.d.imei</code>", "IMEI"], chains)
        self.assertIn(["body", "form field<code>data</code>", "Base64", "JSON<code>$.dev.imsi</code>", "IMSI"], chains)
        self.assertEqual(len(chains), len(page.all("article", "exhibit")))
        geoip = hashlib.sha256((self.shared.path / "geoip").read_bytes()).hexdigest()
        self.assertIn(geoip, page.one("section", id_="particulars")["text"])

    def test_hostile(self):
        """Markup and turned lines in what was recorded are shown, not done."""
        text = self.report()
        self.assertNotIn("<img", text)
        self.assertNotIn("\u202e", text)
        self.assertIn("⟨U+202E⟩", text)

    def test_first_boot(self):
        """The 2014 procedure is laid over it by marks; a step without one says so."""
        page = Page(self.report("--protocol", "first-boot"))
        checklist = page.one("section", id_="checklist")["text"]
        self.assertIn("IMEI", checklist.split("SIM inserted", 1)[1].split("Wi-Fi joined", 1)[0])
        self.assertGreaterEqual(checklist.count("not marked"), 9)

    def test_share_safe(self):
        """A share-safe report has none of the profile's values, in none of their spellings, nor the device's name."""
        for language in ("en", "zh-TW"):
            text = self.report("--share-safe", "--lang", language, "--protocol", "first-boot")
            page = Page(text)
            whole = html.unescape(text)
            for spelling in SPELLINGS:
                self.assertNotIn(spelling.lower(), whole.lower())
            self.assertNotIn("“phone”", whole)
            self.assertNotIn("「phone」", whole)
            self.assertTrue(all(mark["text"].startswith("[") for mark in page.all("mark")))

    def test_commands(self):
        """Pasted into a shell beside the case, every command prints what the report says it must."""
        self.need("openssl", "sha256sum", "sed", "zstd")
        page = Page(self.report())
        folder = self.shared.path / "cases"
        shutil.copy(REPOSITORY / "docs/verify/verify.py", folder)
        tools = self.shared.path / "bin"
        tools.mkdir(exist_ok=True)
        if not (tools / "tidewaiter").exists():
            (tools / "tidewaiter").symlink_to(binary())
        path = environment_with({"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin"})
        section = next(index for index, element in enumerate(page.elements)
                       if element["attributes"].get("id") == "verification")
        pending, checked = None, 0
        for element in page.elements[section:]:
            if element["name"] == "pre":
                done = subprocess.run(["bash", "-c", element["text"]], cwd=folder, env=path, capture_output=True, timeout=120)
                self.assertEqual(done.returncode, 0, (element["text"], done.stderr))
                pending = done.stdout.decode() + done.stderr.decode()
            elif element["name"] == "p" and "expect" in (element["attributes"].get("class") or ""):
                self.assertIn(element["text"].removeprefix("must print "), pending)
                checked += 1
        self.assertGreaterEqual(checked, 5)
        for row in page.all("dd"):
            if row["text"].startswith("tidewaiter show "):
                done = subprocess.run(["bash", "-c", row["text"]], cwd=folder, env=path, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, (row["text"], done.stderr))
                self.assertNotEqual(done.stdout, b"")

    def test_altered(self):
        """A case that does not verify has a report that says so first."""
        target = self.shared.path / "cases" / "bent"
        shutil.copytree(self.shared.case, target)
        file = sorted((target / "bodies").glob("??/*"))[0]
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        self.shared.run("report", "bent", "-o", "bent.html")
        page = Page((self.shared.path / "bent.html").read_text("utf-8"))
        self.assertIn("ALTERED", page.one("p", "notice")["text"])

    def test_words(self):
        """A language or procedure that there is not is a usage error; the file is for its owner alone."""
        self.assertIn("zh-TW", self.shared.run("report", "case", "--lang", "fr", expect=2).err)
        self.shared.run("report", "case", "--protocol", "second-boot", expect=2)
        self.shared.run("report", "missing", expect=2)
        self.shared.run("report", "case")
        self.assertEqual((self.shared.path / "report.html").stat().st_mode & 0o777, 0o600)
