#!/usr/bin/env python3
"""verify_proof.py FILE [--tsa-ca ROOTS.pem]: checks the proof of one flow (docs/proofs.md) with Python's standard library
and openssl. Prints what it proves and INTACT (exit 0), or ALTERED and why (exit 1)."""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

FAILURES = (ValueError, KeyError, TypeError, StopIteration, RuntimeError, AttributeError)


def check(condition, what):
    if not condition:
        raise ValueError(what)


def openssl(*arguments, **files):
    """Runs openssl over files that are made for it; its output, or None."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (pathlib.Path(folder) / name).write_bytes(content)
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True)
        return done.stdout if done.returncode == 0 else None


def root_of(line, index, size, path):
    """RFC 9162 section 2.1.3.2: where a line's path leads."""
    check(index < size, "a line beyond the tree")
    node, position, last = hashlib.sha256(b"\0" + line).digest(), index, size - 1
    for sibling in path:
        check(last > 0, "a path is too long")
        if position & 1 or position == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        position, last = position >> 1, last >> 1
    check(last == 0, "a path is too short")
    return node


def contents_of(event):
    """The digests of the contents that a line names."""
    if event["type"] in ("body", "head", "trailers", "message", "recovered"):
        return [event["sha256"]] if event.get("sha256") else []
    return event.get("chain") or [] if event["type"] == "handshake" else []


def signature_of(head, proof, roots):
    """Checks who vouches for the root, and says so."""
    pem, signature = head["signer"].encode(), base64.b64decode(head["signature"], validate=True)
    if "manifest" in head:
        message = head["manifest"].encode()
        manifest = json.loads(message)
        check((manifest["tree_size"], manifest["tree_root"]) == (proof["size"], proof["root"]), "the manifest is of another tree")
        yield "signed: the manifest of the sealed case " + manifest["case"]
    else:
        message = f"tidewaiter tree head v1\n{head['case_sha256']}\n{proof['size']}\n{proof['root']}\n".encode()
        yield "signed: a tree head of the case whose case.json has SHA-256 " + head["case_sha256"]
    check(openssl("pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "message", "-sigfile", "signature",
                  key=pem, message=message, signature=signature) is not None, "the signature is wrong")
    key = openssl("pkey", "-pubin", "-in", "key", "-outform", "DER", key=pem)
    yield "by the key with SHA-256 " + hashlib.sha256(key).hexdigest()
    if head.get("timestamp"):
        reply = base64.b64decode(head["timestamp"], validate=True)
        text = openssl("ts", "-reply", "-in", "reply", "-text", reply=reply)
        check(text is not None, "the time-stamp does not read")
        stated = next(line for line in text.decode().splitlines() if line.startswith("Time stamp:"))
        check(not roots or openssl("ts", "-verify", "-data", "message", "-in", "reply", "-CAfile", str(pathlib.Path(roots).resolve()),
                                   message=message, reply=reply) is not None, "the time-stamp is wrong")
        yield stated + ("" if roots else " (not checked: give --tsa-ca)")


def verify(data, roots):
    body, _, end = data[:-1].rpartition(b"\n")
    check(data.endswith(b"\n") and end == b'{"sha256":"%s"}' % hashlib.sha256(body + b"\n").hexdigest().encode(),
          "the bytes are not those that were written")
    rows = iter([json.loads(line) for line in body.split(b"\n")])
    proof, head = next(rows), next(rows)
    check(proof["format"] == "tidewaiter proof 1", "not a proof")
    yield f"flow: {proof['flow']} of case {proof['case']}"
    yield from signature_of(head, proof, roots)
    last, lines, named, own, connections, pieces = -1, 0, set(), None, set(), {}
    for row in rows:
        if "line" not in row:
            pieces.setdefault(row["content"], hashlib.sha256()).update(base64.b64decode(row["piece"], validate=True))
            continue
        event = json.loads(row["line"])
        index = event["seq"] - 1
        check(index > last and not pieces, "lines out of order")
        root = root_of(row["line"].encode(), index, proof["size"], [bytes.fromhex(node) for node in row["path"]])
        check(root.hex() == proof["root"], f"line {index + 1} does not lead to the root")
        check(event.get("flow") in (None, proof["flow"]), f"line {index + 1} is of another flow")
        own = event["connection"] if event["type"] == "flow-start" else own
        connections |= set() if event.get("flow") else {event["connection"]}
        last, lines = index, lines + 1
        named.update(contents_of(event))
    check(own and connections <= {own}, "no start of the flow, or lines of another connection")
    for name, hasher in pieces.items():
        check(hasher.hexdigest() == name, f"content {name} is not what was recorded")
    check(lines == proof["lines"] and list(pieces) == proof["contents"], "lines or contents are missing")
    check(named == set(pieces) | set(proof["missing"]), "contents are missing, or nobody names them")
    yield f"{lines} lines of the log's first {proof['size']}, {len(pieces)} contents, {len(proof['missing'])} not in the case any more"


if __name__ == "__main__":
    roots = sys.argv[sys.argv.index("--tsa-ca") + 1] if "--tsa-ca" in sys.argv else None
    try:
        for statement in verify(pathlib.Path(sys.argv[1]).read_bytes(), roots):
            print(statement)
    except FAILURES as error:
        print(f"ALTERED ({error})")
        sys.exit(1)
    print("INTACT")
