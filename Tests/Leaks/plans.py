"""Chooses what each flow holds, so that pairs of form, container, layers and transfer are covered."""

import dataclasses
import itertools

import bystanders
import forms
import writers
from containers import Noise
from layers import COMPRESSIONS, Keyring

# Of each hundred flows.
SHARES = (("leak", 76), ("unknown", 4), ("opaque", 5), ("negative", 10), ("innocent", 5))
CODINGS = ("url", "base64", "base64_nopad", "base64url", "base32", "hex", "hex_upper", "entities", "utf16be_hex", "utf16le",
           "gb18030_url", "big5_url", "reversed", "gzip", "zlib", "zstd", "br", "deflate_raw")
SEALS = ("aes_128_ecb", "aes_256_cbc", "des_ecb", "tea_ecb")
# Over a document, where there is enough to recognise once it is open.
WRAP_CODINGS = ("base64", "base64url", "base64_nopad", "base32", "hex", "url", "jwt", "xor", *SEALS, *COMPRESSIONS)
WRAPS = ("json", "json", "json", "form", "pb", "msgpack", "xml")
BODIES = ("form", "json", "json_ascii", "ndjson", "multipart", "xml", "xml_entities", "plist", "bplist", "pb", "msgpack", "cbor", "csv", "text")
FIELDS = ("path", "query", "header", "cookie", "ua", "referer", "authbasic", "jwt")
SOCKETS = ("ws_text", "ws_frag", "ws_bin", "ws_deflate", "ws_b64")
CALLS = ("grpc", "grpc_gzip")
TRANSFERS = ("", "", "gzip", "deflate", "deflate_raw", "br", "zstd", "chunked", "gzip+chunked", "h2", "br+h2", "utf16", "gb18030",
             "sniff_gzip", "sniff_base64", "sniff_aes_128_ecb", "sniff_des_ecb", "sniff_xor", "lie")


@dataclasses.dataclass
class Choice:
    """One leak flow before it is written."""

    container: str
    transfer: str
    spellings: list
    # one chain for each spelling; of the inner document, if there is one
    chains: list
    wrap: str | None = None

    def factors(self):
        """What is to be paired with what."""
        found = {("container", self.container), ("transfer", self.transfer), ("wrap", self.wrap)}
        for spelling, chain in zip(self.spellings, self.chains):
            found |= {("form", forms.group(spelling)), ("layers", "+".join(chain))}
            found |= {("first", chain[0] if chain else "")}
        return found


class Planner:
    def __init__(self, random, profile):
        self.random, self.profile = random, profile
        self.noise, self.keyring = Noise(random), Keyring(profile["sdk_keys"])
        self.spellings = forms.all_spellings(random, profile)
        self.groups = {}
        for spelling in self.spellings:
            self.groups.setdefault(forms.group(spelling), []).append(spelling)
        self.pairs, self.singles = set(), {}
        self.deck = []

    def next(self):
        """The next flow to write."""
        if not self.deck:
            self.deck = [label for label, share in SHARES for _ in range(share)]
            self.random.shuffle(self.deck)
        label = self.deck.pop()
        if label == "leak":
            return writers.Leak(self, self.choose())
        return {"unknown": bystanders.Unknown, "opaque": bystanders.Opaque, "negative": bystanders.Negative,
                "innocent": bystanders.Innocent}[label](self)

    def coverage(self):
        forms_seen = sum(kind == "form" for kind, _ in self.singles)
        layers_seen = sum(kind == "layers" for kind, _ in self.singles)
        return f"{forms_seen} of {len(self.groups)} kind x form, {layers_seen} chains of layers, {len(self.pairs)} pairs of factors"

    def choose(self):
        """Of a dozen candidates the one with the most pairs that no flow has had; rare singles weigh more."""
        best, best_gain, best_pairs = None, -1, ()
        # two of five without a layer of their own: forms against containers and transfers
        is_bare = self.random.random() < 0.4
        for _ in range(14):
            choice = self.candidate(is_bare)
            pairs = {frozenset(pair) for pair in itertools.combinations(sorted(choice.factors(), key=str), 2)}
            # by the root of their number: else the flows that can hold two values would crowd out the others
            gain = len(pairs - self.pairs) / len(pairs) ** 0.5 + sum(3 for factor in choice.factors() if factor not in self.singles)
            if gain > best_gain:
                best, best_gain, best_pairs = choice, gain, pairs
        self.pairs |= set(best_pairs)
        for factor in best.factors():
            self.singles[factor] = self.singles.get(factor, 0) + 1
        return best

    def candidate(self, is_bare):
        while True:
            choice = self.attempt(is_bare)
            if choice:
                return choice

    def attempt(self, is_bare):
        random = self.random
        container = random.choice(random.choices((BODIES, FIELDS, SOCKETS, CALLS), (66, 22, 9, 3))[0])
        transfer = random.choice(TRANSFERS) if container in BODIES else ""
        if not self.fits_transfer(container, transfer):
            return None
        wrap = random.choice(WRAPS) if not is_bare and container not in ("path", "ua", "authbasic", "jwt") and random.random() < 0.3 else None
        spellings = []
        for _ in range(1 if container in ("path", "ua", "authbasic", "text") else random.choice((1, 2))):
            spelling = random.choice(self.groups[random.choice(sorted(self.groups))])
            if all(spelling.kind != other.kind for other in spellings):
                spellings.append(spelling)
        if wrap:
            chain = self.wrap_chain(wrap)
            if chain is None or not all(writers.fits_document(spelling, wrap) for spelling in spellings):
                return None
            return Choice(container, transfer, spellings, [chain] * len(spellings), wrap)
        chains = [() if is_bare else self.chain(spelling) for spelling in spellings]
        if any(chain is None for chain in chains):
            return None
        if not all(writers.fits(self.keyring, spelling, chain, container, transfer) for spelling, chain in zip(spellings, chains)):
            return None
        return Choice(container, transfer, spellings, chains)

    def fits_transfer(self, container, transfer):
        if transfer in ("utf16", "gb18030"):
            return container in ("json", "text", "csv")
        if transfer.startswith("sniff") or transfer == "lie":
            return container in ("json", "pb", "msgpack", "form", "xml")
        return True

    def wrap_chain(self, wrap):
        """None to two layers over an inner document."""
        chain = self.random.sample(WRAP_CODINGS, self.random.choice((0, 1, 2, 2)))
        return tuple(chain) if self.is_chain(chain, is_text=wrap not in ("pb", "msgpack"), is_document=wrap == "json") else None

    def chain(self, spelling):
        """None to two layers over a single value."""
        if not isinstance(spelling.content, (str, bytes)):
            return ()
        chain = self.random.sample(CODINGS, self.random.choice((0, 0, 1, 1, 2, 2)))
        return tuple(chain) if self.is_chain(chain, isinstance(spelling.content, str), False, spelling) else None

    def is_chain(self, chain, is_text, is_document, spelling=None):
        """Whether someone would write this: what is said of text needs text, no coder after a coder."""
        for index, name in enumerate(chain):
            takes = self.keyring.layers[name][2]
            if name in ("reversed", "utf16be_hex", "utf16le", "gb18030_url", "big5_url", "jwt") and index:
                return False
            if takes == "text" and not is_text or name == "jwt" and not is_document:
                return False
            if name in COMPRESSIONS and index and chain[index - 1] in (*COMPRESSIONS, "xor", *SEALS):
                return False
            if name in ("xor", *SEALS) and index and chain[index - 1] in ("xor", *SEALS):
                return False
            if spelling and not self.is_spelling_for(name, spelling, index):
                return False
            is_text = self.keyring.layers[name][3] == "text"
        return True

    @staticmethod
    def is_spelling_for(name, spelling, index):
        if name in ("gb18030_url", "big5_url", "utf16be_hex", "utf16le"):
            if spelling.is_digest or spelling.form in ("gb18030", "big5", "utf16be_hex", "utf16le"):
                return False
            try:
                spelling.content.encode("big5" if name == "big5_url" else "gb18030")
            except UnicodeEncodeError:
                return False
        if name == "reversed":
            return spelling.form == "plain" and len(spelling.content) >= 8 and not set(spelling.content) & set(" ;=/")
        # a coder over a short value leaves nothing to know it by: only over what has its own mark
        if name in ("br", "deflate_raw"):
            return len(spelling.content) >= 24
        return True
