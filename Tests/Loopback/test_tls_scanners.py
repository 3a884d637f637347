"""What others' scanners say of the side that devices see (TLS-32 to TLS-35)."""

import json
import subprocess
import sys

import hello
import pki
from harness import LoopbackTest, Proxy, environment_with
from origins import Origin

NAME = "origin.example"
OLD = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1")


class Sslyze(LoopbackTest):
    """One scan through the proxy; sslyze makes some 500 handshakes."""

    @classmethod
    def setUpClass(cls):
        proxy = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}, config=hello.PATIENT))
        server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME)))
        file = proxy.path / "sslyze.json"
        cls.done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "sslyze", "--https_tunnel", proxy.url, "--json_out", file,
             "--mozilla_config", "intermediate", "--certinfo_ca_file", proxy.path / "certs/ca.crt", "--early_data",
             "--resum", "--resum_attempts", "3", f"{NAME}:{server.port}"],
            capture_output=True, text=True, timeout=240, env=environment_with())
        if not file.exists():
            raise AssertionError(cls.done.stdout + cls.done.stderr)
        scanned = json.loads(file.read_text())["server_scan_results"][0]
        if scanned["scan_status"] != "COMPLETED":
            raise AssertionError(cls.done.stdout)
        cls.attempts = scanned["scan_result"]

    def result(self, name):
        self.assertEqual(self.attempts[name]["status"], "COMPLETED", self.attempts[name])
        return self.attempts[name]["result"]

    def test_versions(self):
        """TLS-32: sslyze finds TLS 1.2 and 1.3, and nothing older."""
        for name in OLD:
            found = self.result(f"{name}_cipher_suites")
            self.assertEqual((found["is_tls_version_supported"], found["accepted_cipher_suites"]), (False, []), name)
        for name in ("tls_1_2", "tls_1_3"):
            self.assertTrue(self.result(f"{name}_cipher_suites")["is_tls_version_supported"], name)

    def test_suites(self):
        """TLS-33, TLS-34: the suites that sslyze finds are AEAD with ephemeral ECDH, on no curve below P-256."""
        for name in ("tls_1_2", "tls_1_3"):
            accepted = self.result(f"{name}_cipher_suites")["accepted_cipher_suites"]
            self.assertEqual(len(accepted), 3)
            for suite in accepted:
                self.assertRegex(suite["cipher_suite"]["name"], "_(GCM|CHACHA20_POLY1305)_")
                if name == "tls_1_2":
                    self.assertRegex(suite["cipher_suite"]["name"], "^TLS_ECDHE_")
                self.assertEqual(suite["ephemeral_key"]["type_name"], "ECDH")
        curves = {curve["name"] for curve in self.result("elliptic_curves")["supported_curves"]}
        self.assertLessEqual(curves, {"X25519", "secp256r1", "secp384r1"})

    def test_known_attacks(self):
        """TLS-35: sslyze finds neither Heartbleed, CCS injection, ROBOT, compression, renegotiation nor early data."""
        self.assertFalse(self.result("heartbleed")["is_vulnerable_to_heartbleed"])
        self.assertFalse(self.result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"])
        self.assertEqual(self.result("robot")["robot_result"], "NOT_VULNERABLE_RSA_NOT_SUPPORTED")
        self.assertFalse(self.result("tls_compression")["supports_compression"])
        self.assertFalse(self.result("tls_1_3_early_data")["supports_early_data"])
        renegotiation = self.result("session_renegotiation")
        self.assertFalse(renegotiation["is_vulnerable_to_client_renegotiation_dos"])
        self.assertTrue(renegotiation["supports_secure_renegotiation"])
        self.assertTrue(self.result("tls_fallback_scsv")["supports_fallback_scsv"])
        self.assertTrue(self.result("tls_extended_master_secret")["supports_ems_extension"])

    def test_resumption(self):
        """Tickets resume for sslyze each time; session ids, which would need a cache, do not."""
        found = self.result("session_resumption")
        self.assertEqual(found["session_id_successful_resumptions_count"], 0)
        self.assertEqual(found["tls_ticket_successful_resumptions_count"], found["tls_ticket_attempted_resumptions_count"])

    def test_compliance(self):
        """TLS-32 to TLS-43: sslyze finds the side that devices see compliant with Mozilla's intermediate configuration."""
        self.assertEqual(self.done.returncode, 0, self.done.stdout)
        self.assertIn("OK - Compliant", self.done.stdout)
