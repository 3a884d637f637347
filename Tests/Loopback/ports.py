"""Ports for the tests' servers: the kernel's choice, and none twice in a run.

Tests find the records of a server by its port, and the proxy keeps what it knows of one under it; the kernel gives the
port of a server that has ended to a later one.
"""

import socket
import threading

TRIES = 100

_given = set()
_lock = threading.Lock()


def listener(address="127.0.0.1", port=0, *, backlog=64):
    """A listening TCP socket at a port that no earlier server of this run had, or at the one that is wanted."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(TRIES):
        server = socket.create_server((address, port), backlog=backlog, family=family)
        given = server.getsockname()[1]
        with _lock:
            if port or given not in _given:
                _given.add(given)
                return server
        server.close()
    raise RuntimeError(f"{TRIES} ports of the kernel's in a row were given before")


def free_port(address="127.0.0.1"):
    """A port at which nothing listens now, for a program that takes a number."""
    with listener(address) as server:
        return server.getsockname()[1]
