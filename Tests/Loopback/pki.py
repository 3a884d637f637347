"""The origins' certificates, made at run time by the openssl command line: no key is ever in the tree."""

import atexit
import functools
import pathlib
import shutil
import subprocess
import tempfile
import threading

CA_CONFIG = """
[ca]
default_ca = origin
[origin]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = optional
[req]
distinguished_name = name
[name]
"""


def openssl(*arguments, input=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=input, capture_output=True, timeout=20)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr.decode()}")
    return done.stdout


class PKI:
    """The authority of the origins."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-pki-"))
        self.lock = threading.Lock()
        self.leaves = {}
        self._authority("trusted")
        self.roots = self.folder / "trusted" / "ca.crt"

    def _authority(self, name):
        folder = self.folder / name
        folder.mkdir()
        (folder / "index.txt").touch()
        (folder / "openssl.cnf").write_text(CA_CONFIG.format(folder=folder))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-days", "30",
                "-subj", f"/CN=Origin authority ({name})",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def leaf(self, *names, kind="good"):
        """A chain and a key for `names`; kind: good or expired."""
        with self.lock:
            if (names, kind) not in self.leaves:
                self.leaves[names, kind] = self._leaf(names, kind, f"leaf{len(self.leaves)}")
            return self.leaves[names, kind]

    def _leaf(self, names, kind, file):
        certificate, key = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        alternatives = ",".join(("IP:" if ":" in name or name.replace(".", "").isdigit() else "DNS:") + name for name in names)
        common = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                  "-subj", f"/CN={names[0]}"]
        authority = self.folder / "trusted"
        request, extensions = self.folder / f"{file}.csr", self.folder / f"{file}.ext"
        openssl("req", "-new", *common, "-out", request)
        extensions.write_text(
            f"subjectAltName={alternatives}\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        dates = ["-days", "10"]
        if kind == "expired":
            dates = ["-startdate", "20240101000000Z", "-enddate", "20240201000000Z"]
        openssl("ca", "-batch", "-notext", "-config", authority / "openssl.cnf", *dates,
                "-in", request, "-out", certificate, "-extfile", extensions)
        return certificate, key

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def made():
    pki = PKI()
    atexit.register(pki.close)
    return pki


MAKING = threading.Lock()


def shared():
    """One set of authorities for the whole run: making keys is the slow part."""
    # the cache alone would let two threads each make one
    with MAKING:
        return made()
