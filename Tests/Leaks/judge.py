"""What became of each flow on its way to the origin: redacted, refused, the same, or a problem with a name."""

import base64
import collections
import dataclasses
import hashlib
import re
import zlib

from arrived import open_request
from layers import Keyring
from opened import Broken
from people import luhn_digit

# Kinds whose plain spellings are digits or letters with marks between them: a pseudonym keeps the marks.
PATTERNED = {"imei", "meid", "imsi", "iccid", "msisdn", "contact_phone", "android_id", "gaid", "oaid", "wifi_mac", "bssid"}


@dataclasses.dataclass
class Verdict:
    """`outcome` is redacted, refused, same or wrong; `problems` say why wrong."""

    outcome: str
    problems: list = dataclasses.field(default_factory=list)


def spellings(item, profile):
    """The value as anyone might still find it: its spellings, their digests, base64 and hexadecimal."""
    value = item["value"]
    texts = {value}
    if item["kind"] in ("msisdn", "contact_phone"):
        numbers = [profile["sim"]["msisdn"], *(contact["phone"] for contact in profile["contacts"])]
        texts |= {value[1:], *(number["national"] for number in numbers if number["e164"] == value)}
    elif item["kind"] in ("wifi_mac", "bssid"):
        bare = value.replace(":", "")
        texts |= {value.upper(), bare, bare.upper(), value.replace(":", "-"), value.replace(":", "-").upper()}
    elif item["kind"] in PATTERNED:
        texts |= {value.upper(), value.lower(), value.replace("-", "")}
    found = set()
    for text in texts:
        data = text.encode()
        found |= {data, data.hex().encode(), data.hex().upper().encode(), base64.b64encode(data).rstrip(b"=")}
        for algorithm in ("md5", "sha1", "sha256"):
            digest = hashlib.new(algorithm, data).digest()
            found |= {digest.hex().encode(), digest.hex().upper().encode(), base64.b64encode(digest).rstrip(b"="),
                      base64.urlsafe_b64encode(digest).rstrip(b"="), digest.hex()[:16].encode(), base64.urlsafe_b64encode(digest)[:16]}
    return [needle for needle in found if len(needle) >= 6]


def numbers_in(text):
    return [float(match) for match in re.findall(r"-?\d+\.\d+", text)]


def own_chain(item):
    """The layers of the value itself: those of a document that it stands in are open already."""
    return () if item.get("is_inner") else item.get("chain", ())


def opened_original(corpus, flow, keyring):
    """The request as it was sent, opened."""
    messages = [data for _, data in Judge.messages(flow)]
    return open_request(flow["target"], flow["headers"], base64.b64decode(flow["body_b64"]), messages, corpus.truth[flow["id"]], keyring)


def check_truth(corpus):
    """Whether independent readers find each of the truth's items where it says: the flows that are not so."""
    keyring, wrong = Keyring(corpus.profile.get("sdk_keys", ())), []
    for flow in corpus.flows:
        try:
            opened = opened_original(corpus, flow, keyring)
        except Broken as error:
            wrong.append((flow["id"], str(error)))
            continue
        for item in corpus.truth[flow["id"]]["items"]:
            path = Judge.leaf_path(item, opened)
            if path not in opened.leaves:
                wrong.append((flow["id"], f"nothing at {item['path']}"))
            else:
                keyring.unwrap(opened.leaves[path][1], own_chain(item))
    return wrong


def written(corpus, flow, item, keyring):
    """How an item was written, below its layers, and as the leaf that it stands in."""
    opened = opened_original(corpus, flow, keyring)
    leaf = opened.leaves[Judge.leaf_path(item, opened)][1]
    return keyring.unwrap(leaf, own_chain(item)), leaf


class Judge:
    """Compares what was sent with what arrived, by readers that are not ours."""

    def __init__(self, run):
        self.run, self.corpus = run, run.corpus
        self.keyring = Keyring(self.corpus.profile.get("sdk_keys", ()))

    def all(self):
        """The verdict on every flow that was played."""
        return {flow["id"]: self.flow(flow) for flow in self.corpus.flows if flow["id"] in self.run.outcomes}

    def flow(self, flow):
        truth = self.corpus.truth[flow["id"]]
        if not self.corpus.is_watched(flow):
            return self.same(flow)
        if truth["label"] == "opaque":
            return self.opaque(flow)
        if truth["label"] in ("negative", "innocent"):
            return self.same(flow)
        return self.leak(flow, truth)

    def arrived(self, flow):
        return self.run.arrivals(flow)

    def same(self, flow):
        """Every byte of the target, the fields, the body and the messages as they were sent."""
        outcome, arrivals = self.run.outcomes[flow["id"]], self.arrived(flow)
        if len(arrivals) != 1 or not arrivals[0].is_whole:
            detail = f"status {outcome.status} {outcome.error or ''} {outcome.body[:80]!r}, {len(arrivals)} arrivals"
            return Verdict("wrong", [("not delivered", detail)])
        arrival, problems = arrivals[0], []
        if arrival.target != flow["target"]:
            problems.append(("changed", "target"))
        sent = [(name.lower(), value) for name, value in flow["headers"]]
        names = {name for name, _ in sent}
        came = [(name.lower(), value) for name, value in arrival.fields if name.lower() in names]
        if came != sent:
            problems.append(("changed", f"fields {[field for field in came if field not in sent]}"))
        if flow["proto"] == "h1" and bool(arrival.get("Transfer-Encoding")) != (flow["framing"]["type"] == "chunked"):
            problems.append(("changed", "framing"))
        if arrival.body != base64.b64decode(flow["body_b64"]):
            problems.append(("changed", "body"))
        if [(op, data) for op, data, _ in arrival.messages] != self.messages(flow):
            problems.append(("changed", "messages"))
        return Verdict("wrong" if problems else "same", problems)

    @staticmethod
    def messages(flow):
        return [(message["op"], base64.b64decode(message["data_b64"])) for message in (flow["ws"] or {}).get("msgs", [])]

    def is_refused(self, flow):
        outcome = self.run.outcomes[flow["id"]]
        # a call is refused in gRPC's own words: 200, and PERMISSION_DENIED in the trailers
        return outcome.status in (451, 403) or outcome.grpc_status == "7"

    def opaque(self, flow):
        """Nothing of a body that nobody can read."""
        arrivals = self.arrived(flow)
        if any(arrival.body or arrival.messages for arrival in arrivals):
            return Verdict("wrong", [("opaque forwarded", self.corpus.truth[flow["id"]]["note"])])
        if not self.is_refused(flow):
            outcome = self.run.outcomes[flow["id"]]
            return Verdict("wrong", [("not answered", f"status {outcome.status} {outcome.error or ''}")])
        return Verdict("refused")

    def leak(self, flow, truth):
        arrivals = self.arrived(flow)
        if self.is_refused(flow):
            return self.refused(flow, truth, arrivals)
        if len(arrivals) != 1 or not arrivals[0].is_whole:
            outcome = self.run.outcomes[flow["id"]]
            detail = f"status {outcome.status} {outcome.error or ''}, {len(arrivals)} arrivals"
            return Verdict("wrong", [("not delivered", detail)])
        problems = self.compare(flow, truth, arrivals[0])
        return Verdict("wrong" if problems else "redacted", problems)

    def refused(self, flow, truth, arrivals):
        """Of what was refused no body byte, and no value, has arrived; messages before it may have."""
        problems = []
        for arrival in arrivals:
            if arrival.body:
                problems.append(("forwarded", f"{len(arrival.body)} bytes of a refused body"))
            text = arrival.target.encode() + b" ".join(value.encode() for _, value in arrival.fields) \
                + b" ".join(data for _, data, _ in arrival.messages)
            problems += [("forwarded", f"{item['kind']} of a refused flow") for item in truth["items"]
                         if any(needle in text for needle in spellings(item, self.corpus.profile))]
        return Verdict("wrong" if problems else "refused", problems)

    def compare(self, flow, truth, arrival):
        """Problems of a flow that was forwarded with pseudonyms."""
        names = {name.lower() for name, _ in flow["headers"]}
        kept = [(name, value) for name, value in arrival.fields if name.lower() in names]
        sent = [value for _, value in self.messages(flow)]
        before = open_request(flow["target"], flow["headers"], base64.b64decode(flow["body_b64"]), sent, truth, self.keyring)
        if len(arrival.messages) != len(sent):
            return [("broken", f"{len(arrival.messages)} messages of {len(sent)}")]
        try:
            after = open_request(arrival.target, kept, arrival.body, [data for _, data, _ in arrival.messages], truth, self.keyring)
        except Broken as error:
            return [("broken", str(error))]
        problems = []
        if after.skeleton != before.skeleton:
            problems.append(("broken", self.difference(before.skeleton, after.skeleton)))
        items = collections.defaultdict(list)
        for item in truth["items"]:
            items[self.leaf_path(item, before)].append(item)
        for path, leaf in before.leaves.items():
            if path not in after.leaves:
                problems.append(("broken", f"{path} is gone"))
            elif path in items:
                problems += self.judge_leaf(path, items[path], leaf, after.leaves[path], bool(truth["ignore"]))
            elif path in ("header:content-md5", "header:content-digest"):
                if not self.is_digest_of(path, after.leaves[path][1], arrival.body):
                    problems.append(("stale check sum", path))
            elif after.leaves[path] != leaf and not self.is_recomputed(path, truth, before, after):
                problems.append(("over-redacted", f"{path}: {leaf[2][:60]!r} -> {after.leaves[path][2][:60]!r}"))
        for entry in truth.get("sums", ()):
            path = ("query:" if "query:" in entry["of"] else "") + entry["path"]
            if path in after.leaves and not self.is_recomputed(path, truth, before, after):
                problems.append(("stale check sum", f"{path}, of the {entry['over']}"))
        text = b"\n".join(leaf[1] for leaf in after.leaves.values())
        for item in truth["items"]:
            for needle in spellings(item, self.corpus.profile):
                if needle in text:
                    problems.append(("leaked", f"{item['kind']} {item['encoding']} still holds {needle[:40]!r}"))
                    break
        problems += self.positions(truth, before, after, items)
        return list(dict.fromkeys(problems))

    @staticmethod
    def leaf_path(item, opened):
        """The truth's path as the reader names it: a header with a scheme or a page around it has one leaf."""
        path = item["path"]
        return path if path in opened.leaves else path.split(" > ")[0]

    def judge_leaf(self, path, items, before, after, has_more):
        """A leaf that holds an identifier: changed, of the same type and length, of the same shape."""
        item = items[0]
        name = f"{item['kind']} {item['encoding']} at {path}"
        if before[0] != after[0]:
            return [("broken", f"{name}: {before[0]} became {after[0]}")]
        if before[1] == after[1]:
            return [("leaked", name)] if item["kind"] != "gps" else []
        try:
            old, new = (self.keyring.unwrap(leaf[1], own_chain(item)) for leaf in (before, after))
        except Exception as error:
            return [("broken", f"{name}: {type(error).__name__} {error}")]
        if own_chain(item) and own_chain(item)[-1].startswith("base64"):
            marks = [{octet for octet in leaf[1] if octet in b"+/-_"} for leaf in (before, after)]
            if any(marks[0] & set(one) and marks[1] & set(other) for one, other in ((b"+/", b"-_"), (b"-_", b"+/"))):
                return [("broken", f"{name}: the other alphabet of base64")]
        if not self.has_shape(item, old, new):
            return [("shape", f"{name}: {old[:60]!r} -> {new[:60]!r}")]
        value = item["value"].encode()
        place = old.find(value)
        # a list has more values than the one that the truth names
        has_more |= item["kind"] == "app_list"
        if not has_more and place >= 0 and len(old) == len(new) and (old[:place], old[place + len(value):]) != (new[:place], new[place + len(value):]):
            return [("over-redacted", f"{name}: {old[:60]!r} -> {new[:60]!r}")]
        return []

    @staticmethod
    def has_shape(item, old, new):
        """Same length; marks where they were; an IMEI with a right check digit."""
        if item["kind"] not in PATTERNED or item.get("form", item["encoding"]) not in ("plain", "separators", "case"):
            return True
        if len(old) != len(new):
            return False
        marks = [(chr(octet) if not chr(octet).isalnum() else "x") for octet in old]
        if marks != [(chr(octet) if not chr(octet).isalnum() else "x") for octet in new]:
            return False
        if item["kind"] == "imei" and old == item["value"].encode():
            text = new.decode()
            return text.isdigit() and luhn_digit(text[:-1]) == text[-1]
        return True

    def is_recomputed(self, path, truth, before, after):
        """A check sum by a public rule, of what has changed: right before, and right of what arrived."""
        prefix = "query:" if path.startswith("query:") else ""
        for entry in truth.get("sums", ()):
            if path != prefix + entry["path"]:
                continue
            blob = entry["of"].removeprefix("query:")
            for opened in (before, after):
                value, document = opened.blobs[blob]
                whole = value if entry["over"] == "blob" else document
                right = f"{zlib.crc32(whole):08x}" if entry["by"] == "crc32" else hashlib.md5(whole).hexdigest()
                if opened.leaves[path][1].decode() != right:
                    return False
            return True
        return False

    @staticmethod
    def is_digest_of(name, value, body):
        if name == "header:content-md5":
            return value == base64.b64encode(hashlib.md5(body).digest())
        return value == b"sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()) + b":"

    def positions(self, truth, before, after, items):
        """No position within a kilometre of the original."""
        paths = [path for path, found in items.items() if any(item["kind"] == "gps" for item in found)]
        if not paths or not all(path in after.leaves for path in paths):
            return []
        old, new = (b" ".join(opened.leaves[path][1] for path in paths) for opened in (before, after))
        if old == new:
            return [("leaked", f"gps {truth['items'][0]['encoding']}")]
        pairs = list(zip(numbers_in(old.decode("latin-1")), numbers_in(new.decode("latin-1"))))
        if len(pairs) >= 2 and all(abs(one - other) < 0.009 for one, other in pairs[:2]):
            return [("leaked", f"gps {old[:60]!r} -> {new[:60]!r}")]
        return []

    @staticmethod
    def difference(before, after):
        for index, (one, other) in enumerate(zip(before, after)):
            if one != other:
                return f"what is around the leaves, at {index}: {str(one)[:90]!r} -> {str(other)[:90]!r}"
        return f"what is around the leaves: {len(before)} parts became {len(after)}"
