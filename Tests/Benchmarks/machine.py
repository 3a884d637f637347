"""What the machine says of processes: CPU time, memory, descriptors; and how ours are started, pinned and ended."""

import os
import pathlib
import platform
import resource
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
# The proxy has a core to itself; whatever loads it has the other.
PROXY_CORE, OTHER_CORE = CORES[0], CORES[-1]


def stat_fields(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def tree(pid):
    """The process and all that came from it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        found.append(current := waiting.pop())
        waiting += children.get(current, [])
    return found


def cpu(pid):
    """Seconds of CPU, user and system, of a process and all that came from it, those that have ended included."""
    ticks = 0
    for member in tree(pid):
        if fields := stat_fields(member):
            ticks += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return ticks / TICK


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def sockets(pid):
    """How many of its descriptors are sockets."""
    count = 0
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(entry).startswith("socket:")
        except OSError:
            # Closed since it was listed.
            continue
    return count


def threads(pid):
    """Seconds of CPU of each thread, by its number, and what it is called."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/task"):
        if fields := stat_fields(f"{pid}/task/{entry}"):
            name = pathlib.Path(f"/proc/{pid}/task/{entry}/comm").read_text().strip()
            found[int(entry)] = (name, (int(fields[11]) + int(fields[12])) / TICK)
    return found


def allow_descriptors():
    """As many as this machine lets a process have, for us and for all that we start."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def busy():
    """Seconds that the cores of this machine have worked, all together."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[index]) for index in (0, 1, 2, 5, 6)) / TICK


def pss(pid):
    """KiB of memory of a process tree; what is shared counts once."""
    return sum(smaps(member, "Pss:") for member in tree(pid))


def smaps(pid, key):
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(key)), 0)


def forget_peaks(pid):
    for member in tree(pid):
        try:
            pathlib.Path(f"/proc/{member}/clear_refs").write_text("5")
        except OSError:
            pass


def peak(pid):
    """KiB: the most that was resident at once, each process of the tree for itself."""
    total = 0
    for member in tree(pid):
        try:
            text = pathlib.Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM:")), 0)
    return total


def free_ports(count):
    """Ports of 127.0.0.1 that the kernel chose; all are held until the last is known, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def start(command, *cores, **options):
    command = [str(word) for word in command]
    return subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, cores), **options)


def wait_for(port, process, log):
    """Until somebody listens."""
    def listens():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    wait_until(listens, process, log)


def wait_until(is_true, process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"bench: {process.args[0]} ended with {process.returncode}:\n{tail(log)}")
        if is_true():
            return
        time.sleep(0.002)
    raise SystemExit(f"bench: {process.args[0]} is not ready:\n{tail(log)}")


def tail(path):
    path = pathlib.Path(path)
    return "\n".join(path.read_text(errors="replace").splitlines()[-12:]) if path.exists() else ""


def end(process):
    """Ends what we started, by its pid: politely, then not."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), platform.machine())
