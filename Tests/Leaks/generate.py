#!/usr/bin/env python3
"""Makes a corpus of labelled flows: `generate.py --seed N [--count N] FOLDER`.

Every kind x form x container x nesting of two layers, by a design that covers pairs of them; hard negatives, media
and bodies that nothing can read. Same files as the public split, so the same scorer and the same player take it.
"""

import argparse
import base64
import json
import pathlib
import random
import sys

import corpus  # noqa: F401  it puts the loopback tests on the path

sys.dont_write_bytecode = True

import environment  # noqa: E402

if __name__ == "__main__":
    environment.enter()

from plans import Planner  # noqa: E402
import people  # noqa: E402

# Loopback ranges that play countries.
REGIONS = {"127.90.0.0/16": "CN", "127.91.0.0/16": "US", "127.92.0.0/16": "SG", "127.93.0.0/16": "DE", "127.94.0.0/16": "JP"}
HOSTS = {
    "id.quaynet.example": "127.90.1.1", "up.quaynet.example": "127.90.1.2", "log.quaynet.example": "127.90.2.1",
    "push.tallship.example": "127.90.7.9", "sdk.fathom.example": "127.90.9.4",
    "www.breakwater.example": "127.91.1.1", "api.skyhaven.example": "127.91.1.2", "edge.quaynet-intl.example": "127.92.1.1",
    "shop.hafenladen.example": "127.93.1.1", "cdn.minato.example": "127.94.1.1",
}


def write(folder, flows, truth, profile):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flows.jsonl").write_text("".join(json.dumps(flow, ensure_ascii=False) + "\n" for flow in flows))
    for name, content in (("truth", truth), ("profile", profile), ("hosts", HOSTS)):
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1))
    (folder / "regions.csv").write_text("cidr,country,asn,as_org\n" + "".join(
        f"{network},{country},64512,QUAY\n" for network, country in REGIONS.items()))


def generate(folder, seed, count):
    """Writes the corpus; the same seed gives the same bytes."""
    chance = random.Random(seed)
    profile = people.person(chance)
    watched = [host for host, address in HOSTS.items() if address.startswith("127.90.")]
    others = [host for host in HOSTS if host not in watched]
    planner = Planner(chance, profile)
    flows, truth = [], {}
    for index in range(count):
        plan = planner.next()
        host = chance.choice(watched if chance.random() < 0.8 else others)
        token, rid = people.hexadecimal(chance, 8), planner.noise.session()
        flow, label = plan.write(token)
        name = f"g{index + 1:05d}"
        headers = [("User-Agent", flow.agent), ("Accept", "*/*"), ("X-Request-Id", rid), *flow.headers]
        flows.append({
            "id": name, "step": "generated", "host": host, "scheme": flow.scheme, "proto": flow.proto, "method": flow.method,
            "target": flow.target, "headers": headers, "body_b64": base64.b64encode(flow.body).decode(), "framing": flow.framing,
            "ws": flow.ws, "rid": rid, "token": token})
        address = HOSTS[host]
        country = next(country for network, country in REGIONS.items() if address.startswith(network.split(".0.")[0]))
        truth[name] = {"host": host, "ip": address, "region": country, "asn": 64512, "token": token, "rid": rid, **label}
    write(pathlib.Path(folder), flows, truth, profile)
    return planner


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1500)
    options = parser.parse_args()
    planner = generate(options.folder, options.seed, options.count)
    print(f"{options.count} flows, seed {options.seed}: {planner.coverage()}")


if __name__ == "__main__":
    main()
