"""c-icap with ClamAV behind it, unprivileged, in a folder of its own and without any network: one signature of our own."""

import getpass
import grp
import hashlib
import os
import pathlib
import shutil
import tempfile

from harness import eventually
from programs import Program

# The test file that every scanner knows, put together here so that no scanner minds this one.
EICAR = b"X5O!P%@AP[4" + rb"\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Tidewaiter.Test.Eicar"

CLAMD = "/usr/sbin/clamd"
C_ICAP = "/usr/bin/c-icap"
MODULES = next(iter(pathlib.Path("/usr/lib").glob("*/c_icap")), pathlib.Path("/usr/lib/c_icap"))


def missing():
    """What is not installed; empty if all is."""
    return [name for name, path in (("clamd", CLAMD), ("c-icap", C_ICAP), ("virus_scan", MODULES / "virus_scan.so"))
            if not pathlib.Path(path).exists()]


class Clamd(Program):
    """ClamAV's daemon; knows one file by its digest, so that it is ready at once and small."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-clamd-"))
        self.root.chmod(0o755)
        (self.root / "db").mkdir()
        (self.root / "tmp").mkdir()
        digest = hashlib.md5(EICAR).hexdigest()
        (self.root / "db/test.hdb").write_text(f"{digest}:{len(EICAR)}:{SIGNATURE}\n")
        try:
            super().__init__(self.command)
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    def command(self, port):
        file = self.root / "clamd.conf"
        file.write_text("\n".join([
            f"DatabaseDirectory {self.root}/db", f"TemporaryDirectory {self.root}/tmp", f"TCPSocket {port}",
            "TCPAddr 127.0.0.1", "Foreground yes", "LogVerbose yes", f"LogFile {self.root}/log", "MaxThreads 2",
            "Bytecode no", "SelfCheck 86400", f"User {getpass.getuser()}", ""]))
        return [CLAMD, "--config-file", file]

    def close(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


class CIcap(Program):
    """c-icap with its virus_scan service at /avscan, which asks a clamd, and its echo service at /echo."""

    def __init__(self, clamd):
        self.clamd = clamd
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-c-icap-"))
        self.root.chmod(0o755)
        try:
            super().__init__(self.command)
            # Whether the service found its engine is known a little later than the port is open.
            eventually(lambda: self.log("server.log"))
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    def command(self, port):
        (self.root / "tmp").mkdir(exist_ok=True)
        group = grp.getgrgid(os.getgid()).gr_name
        file = self.root / "c-icap.conf"
        file.write_text("\n".join([
            f"PidFile {self.root}/pid", f"CommandsSocket {self.root}/ctl", f"Port 127.0.0.1:{port}",
            f"User {getpass.getuser()}", f"Group {group}", "StartServers 1", "MaxServers 1", "MinSpareThreads 2",
            "MaxSpareThreads 8", "ThreadsPerChild 8", "MaxRequestsPerChild 0", "Timeout 30",
            "MaxKeepAliveRequests 100", "KeepAliveTimeout 60", f"TmpDir {self.root}/tmp", "ServerName icap.example",
            "ServerAdmin nobody@icap.example", "DebugLevel 1", f"ModulesDir {MODULES}", f"ServicesDir {MODULES}",
            "TemplateDir /usr/share/c_icap/templates/", "LoadMagicFile /etc/c-icap/c-icap.magic",
            f"ServerLog {self.root}/server.log",
            "LogFormat plain \"%im %iu %is %Ib %Ob %ph\"", f"AccessLog {self.root}/access.log plain",
            "Service echo srv_echo.so", "Service antivirus virus_scan.so",
            "ServiceAlias avscan antivirus?allow204=on&sizelimit=off&mode=simple",
            "virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE", "virus_scan.MaxObjectSize 5M",
            "virus_scan.DefaultEngine clamd",
            "Module common clamd_mod.so", "clamd_mod.ClamdHost 127.0.0.1", f"clamd_mod.ClamdPort {self.clamd.port}",
            ""]))
        return [C_ICAP, "-N", "-f", file]

    def log(self, name):
        """The lines of one of its logs."""
        file = self.root / name
        return file.read_text(errors="replace").splitlines() if file.exists() else []

    def close(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
