"""What an operator gets wrong is one clear line: what, where, what to do."""

import socket
import signal

from harness import Folder, LoopbackTest


class ConfigurationErrors(LoopbackTest):
    def folder(self, **arguments):
        folder = Folder(**arguments)
        self.addCleanup(folder.close)
        return folder

    def fails(self, folder, code, *words):
        done = folder.run("run", "-c", "tidewaiter.yaml", expect=code, wait=30)
        self.assertOneClearLine(done.err, *words)
        self.assertNotIn("ready", done.out.splitlines())

    def test_broken_yaml(self):
        """Broken YAML is named by file, line and column."""
        folder = self.folder()
        folder.write("tidewaiter.yaml", "version: 1\nmode: [record\nlisten: {}\n")
        self.fails(folder, 2, "tidewaiter.yaml:")
        self.assertRegex(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, r"tidewaiter\.yaml:\d+:\d+: ")

    def test_unknown_key(self):
        """An unknown key is named with its place and the key that was meant."""
        folder = self.folder()
        folder.write("tidewaiter.yaml", "version: 1\ntimeouts:\n  handshak: 1s\n")
        self.fails(folder, 2, "tidewaiter.yaml:3:3", "handshak", '"handshake"')

    def test_unknown_mode(self):
        """A mode that does not exist is named with those that do."""
        folder = self.folder()
        folder.write("tidewaiter.yaml", "version: 1\nmode: blok\n")
        self.fails(folder, 2, "tidewaiter.yaml:2:7", "blok", "block")

    def test_missing_file(self):
        """A configuration file that is not there is named."""
        done = self.folder().run("run", "-c", "elsewhere.yaml", expect=2)
        self.assertOneClearLine(done.err, "elsewhere.yaml")

    def test_missing_regions(self):
        """A region database that is not there is named, and nothing starts without it."""
        folder = self.folder(config={"regions": {"databases": ["not-there"]}})
        self.fails(folder, 2, "not-there")

    def test_corrupt_regions(self):
        """A region database that is corrupt is named with the line."""
        folder = self.folder()
        folder.write("geoip", "1,2,CN\nnonsense\n")
        self.fails(folder, 2, "geoip:2")

    def test_corrupt_mmdb(self):
        """An .mmdb file that is none is named."""
        folder = self.folder(config={"regions": {"databases": ["t.mmdb"]}})
        folder.write("t.mmdb", "not a database")
        self.fails(folder, 2, "t.mmdb")

    def test_open_key(self):
        """A CA key that others can read is refused, with the command that mends it."""
        folder = self.folder()
        folder.run("ca", "init")
        (folder.path / "certs/ca.key").chmod(0o644)
        self.fails(folder, 2, "ca.key", "chmod 600")

    def test_foreign_key(self):
        """A key that is not the certificate's is refused."""
        folder, other = self.folder(), self.folder()
        folder.run("ca", "init")
        other.run("ca", "init")
        (folder.path / "certs/ca.key").write_bytes((other.path / "certs/ca.key").read_bytes())
        self.fails(folder, 2, "ca.key")

    def test_port_in_use(self):
        """A port in use is named, exit 3."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            folder = self.folder(config={"listen": {"proxy": [f"127.0.0.1:{port}"]}})
            self.fails(folder, 3, str(port), "in use")

    def test_missing_rules(self):
        """A rule file that the configuration names and that is not there is named."""
        folder = self.folder(config={"rules": ["elsewhere.yaml"]})
        self.fails(folder, 2, "elsewhere.yaml")

    def test_bad_device(self):
        """A mistake in a device profile is named with its place."""
        folder = self.folder(device="name: phone\nmatch: { ip: \"127.0.0.1\" }\nidentifier:\n  imei: [\"1\"]\n")
        self.fails(folder, 2, "phone.yaml:3:1", '"identifiers"')

    def test_devices_folder(self):
        """A folder of profiles that is named and cannot be listed is named, and refuses a reload; the default may be missing."""
        folder = self.folder(config={"devices": "devcies"})
        self.fails(folder, 2, "devcies: cannot list the device profiles")
        self.assertFalse((folder.path / "cases").exists())
        folder.write("devcies", "a file where a folder should be")
        self.fails(folder, 2, "devcies: cannot list the device profiles")
        proxy = self.proxy(config={"devices": "phones"}, before_start=lambda self: self.write(
            "phones/one.yaml", "name: one\nidentifiers:\n  imei: [\"490154203237518\"]\n"))
        self.assertIn("devices    1 profile, 1 value", proxy.lines)
        (proxy.path / "phones").rename(proxy.path / "away")
        self.assertOneClearLine(proxy.run("reload", expect=1).err, "phones: cannot list")
        proxy = self.proxy(before_start=lambda self: (self.path / "devices").rename(self.path / "away"))
        self.assertIn("devices    none: only patterns are searched for; tidewaiter device add NAME", proxy.lines)

    def test_bad_roots(self):
        """Roots that are missing or no certificates are named before a case is made."""
        folder = self.folder(config={"tls": {"upstream_roots": "nope.pem"}})
        self.fails(folder, 2, "nope.pem")
        folder.write("nope.pem", "garbage")
        self.fails(folder, 2, "nope.pem")
        self.assertFalse((folder.path / "cases").exists())

    def test_rule_that_never_applies(self):
        """A rule that asks only for kinds that a profile would have to list is warned of, and is no problem."""
        folder = self.folder(rules="version: 1\nrules:\n  - { id: words, when: { finding: [sms_text, clipboard] }, then: block }\n")
        said = folder.run("rules", "check").out
        self.assertIn("warning: rules.yaml:3:26: rule words: only values of a device profile are found as sms_text, clipboard", said)
        self.assertIn("no problem found", said)
        folder.run("device", "canary", "phone")
        self.assertNotIn("warning", folder.run("rules", "check").out)

    def test_flags_override_environment_overrides_file(self):
        """Flags override the environment, which overrides the file."""
        environment = {"TIDEWAITER_MODE": "redact"}
        with self.subTest("environment"):
            proxy = self.proxy(environment=environment)
            self.assertIn("mode: redact", proxy.lines[0])
        with self.subTest("flag"):
            proxy = self.proxy(environment=environment, arguments=["--mode", "block"])
            self.assertIn("mode: block", proxy.lines[0])

    def test_usage(self):
        """A flag or command that does not exist is exit 2."""
        folder = self.folder()
        for arguments in (["run", "--moed", "block"], ["rn"], ["show"], ["evidence", "verify"]):
            with self.subTest(arguments):
                self.assertEqual(folder.run(*arguments, expect=None).code, 2)

    def test_case_folder_not_writable(self):
        """A case folder that cannot be made is named."""
        folder = self.folder(config={"case": {"dir": "taken"}})
        folder.write("taken", "a file where a folder should be")
        done = folder.run("run", "-c", "tidewaiter.yaml", expect=None, wait=30)
        self.assertIn(done.code, (2, 3))
        self.assertOneClearLine(done.err, "taken")

    def test_second_proxy_on_one_case(self):
        """A second proxy on the same case is refused, and the first goes on."""
        proxy = self.proxy()
        done = proxy.run("run", "-c", "tidewaiter.yaml", expect=None, wait=30)
        self.assertIn(done.code, (2, 3))
        self.assertOneClearLine(done.err)
        self.assertIsNone(proxy.process.poll())

    def test_sigint(self):
        """SIGINT stops the proxy as SIGTERM does, with exit 0."""
        proxy = self.proxy()
        proxy.signal(signal.SIGINT)
        self.assertEqual(proxy.process.wait(20), 0)

    def test_version(self):
        """version and --help say what this is, exit 0."""
        folder = self.folder()
        self.assertRegex(folder.run("version").out, r"\d+\.\d+\.\d+")
        self.assertIn("run", folder.run("--help").out)
