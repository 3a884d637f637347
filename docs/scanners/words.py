#!/usr/bin/env python3
"""Finds project names in messages, and stops secret ones: a JSON line in, a JSON line out."""

import base64
import json
import re
import sys

NAME = re.compile(rb"PROJECT-[A-Z]{3,12}")

for line in sys.stdin:
    message = json.loads(line)
    body = base64.b64decode(message["body"])
    answer = {"findings": [
        {"kind": "project_name", "certainty": "certain", "offset": name.start(), "length": len(name[0])}
        for name in NAME.finditer(body)]}
    if b"TOP SECRET" in body:
        answer |= {"verdict": "block", "reason": "a top secret"}
    print(json.dumps(answer), flush=True)
