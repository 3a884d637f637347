"""A corpus of labelled flows on disk, and the configuration of a proxy that is told what its profile says."""

import ipaddress
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "Fixtures/leaks"
PUBLIC = FIXTURES / "public"

for folder in (HERE.parent / "Loopback", FIXTURES):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

KINDS = ("imei meid imsi iccid msisdn contact_phone contact_name sms_text android_id gaid oaid serial wifi_mac bt_mac bssid "
         "ssid gps email account_id app_list browsing_url clipboard carrier").split()

REDACT = f"""\
version: 1
rules:
  - id: identifiers-to-watched-regions
    when: {{ region: [watched], direction: request, finding: [{", ".join(KINDS)}] }}
    then: redact
    otherwise: block
  - id: home-rolled-crypto
    when: {{ region: [watched], direction: request, finding: [opaque] }}
    then: redact
    otherwise: block
"""


def block_rules(how):
    """No connection to a watched region, in one of the two ways of refusing it."""
    return f"version: 1\nrules:\n  - id: nothing-to-watched-regions\n    when: {{ region: [watched] }}\n    then: block\n    how: {how}\n"


def listed(value):
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


class Corpus:
    """flows.jsonl, truth.json, profile.json, hosts.json and regions of one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.flows = [json.loads(line) for line in (self.folder / "flows.jsonl").read_text().splitlines() if line]
        self.truth = self._json("truth.json")
        self.profile = self._json("profile.json")
        self.hosts = self._json("hosts.json")
        rows = [line.split(",") for line in (self.folder / "regions.csv").read_text().splitlines()[1:]]
        self.regions = sorted(((ipaddress.ip_network(row[0]), row[1]) for row in rows), key=lambda pair: -pair[0].prefixlen)

    def _json(self, name):
        return json.loads((self.folder / name).read_text())

    def country(self, host):
        """Where a host's address lies; the longest prefix wins."""
        address = ipaddress.ip_address(self.hosts[host])
        return next((country for network, country in self.regions
                     if network.version == address.version and address in network), None)

    def is_watched(self, flow):
        return self.country(flow["host"]) == "CN"

    def databases(self, write):
        """The region database for the configuration; `write` puts a file beside it."""
        binary = self.folder / "regions.mmdb"
        if binary.exists():
            return [str(binary)]
        ranges = "".join(f"{int(network[0])},{int(network[-1])},{country}\n"
                         for network, country in sorted(self.regions) if network.version == 4)
        write("geoip", ranges)
        return ["geoip"]

    def identifiers(self):
        """The profile as `identifiers` of a device file: each kind a list of strings."""
        device, sim = self.profile.get("device", {}), self.profile.get("sim", {})
        wifi, place = self.profile.get("wifi", {}), self.profile.get("location")
        accounts, contacts = self.profile.get("accounts", {}), self.profile.get("contacts", [])
        found = {kind: listed(device.get(kind)) for kind in
                 ("imei", "meid", "serial", "android_id", "gaid", "oaid", "wifi_mac", "bt_mac")}
        found |= {kind: listed(sim.get(kind)) for kind in ("imsi", "iccid", "carrier")}
        found |= {kind: listed(wifi.get(kind)) for kind in ("ssid", "bssid")}
        found["msisdn"] = [sim["msisdn"]["e164"]] if "msisdn" in sim else []
        found["contact_name"] = [contact["name"] for contact in contacts]
        found["contact_phone"] = [contact["phone"]["e164"] for contact in contacts]
        found["sms_text"] = [message["text"] for message in self.profile.get("sms", [])]
        found["gps"] = [f"{place['lat']},{place['lon']}"] if place else []
        found["email"], found["account_id"] = listed(accounts.get("email")), listed(accounts.get("mi_id"))
        found["app_list"], found["browsing_url"] = listed(self.profile.get("apps")), listed(self.profile.get("browsing"))
        found["clipboard"] = listed(self.profile.get("clipboard"))
        return {kind: values for kind, values in found.items() if values}

    def device(self):
        """The device file's content."""
        return {"name": "phone", "match": {"ip": "127.0.0.1"}, "identifiers": self.identifiers(),
                "sdk_keys": self.profile.get("sdk_keys", [])}
