"""Writes the flows that are no leak of the profile's: negatives, strangers' identifiers, media, opaque bodies."""

import base64

import containers
import harmless
from writers import Writer


class Plain(Writer):
    """A document of fields in one of the common containers."""

    CONTAINERS = ("json", "json", "form", "query", "header", "cookie", "xml", "ndjson", "multipart", "pb", "msgpack", "cbor")

    def document(self, request, label, pairs, container, transfer=""):
        noise = self.noise.fields()
        if container == "query":
            request.method = "GET"
            request.target += "?" + containers.as_form({**noise, **dict(pairs)}).decode()
            label["shape"]["query"] = {"leaf": [], "wrap": {}}
        elif container == "header":
            request.method = "GET"
            request.headers += [("X-" + key.replace("_", "-").title(), str(value)) for key, value in pairs]
        elif container == "cookie":
            request.method = "GET"
            request.headers.append(("Cookie", "; ".join(f"{key}={value}" for key, value in pairs)))
        elif container == "pb":
            values = [value for _, value in pairs]
            self.put_body(request, label, "pb", {1: 3, 2: {number: value for number, value in enumerate(values, 1)}, 3: "wifi"}, transfer)
        elif container == "ndjson":
            self.put_body(request, label, "ndjson", {"lines": [noise, dict(pairs), {"ev": "end"}]}, transfer)
        else:
            self.put_body(request, label, container, {**noise, **dict(pairs)}, transfer)
        label["container"] = container


class Negative(Plain):
    def write(self, token):
        request, label = self.request(token), self.label("negative")
        groups = harmless.negatives(self.random, self.planner.profile)
        chosen = self.random.sample(groups, self.random.choice((1, 2)))
        pairs = list({key: content for group in chosen for key, content in group}.items())
        container = self.random.choice(self.CONTAINERS)
        transfer = self.random.choice(("", "", "gzip", "br", "h2")) if container not in ("query", "header", "cookie") else ""
        if container == "pb":
            pairs = [(key, value) for key, value in pairs if not isinstance(value, int) or 0 <= value < 1 << 63]
        self.document(request, label, pairs, container, transfer)
        return request, label


class Unknown(Plain):
    """Somebody else's identifiers, under names that say what they are."""

    def write(self, token):
        request, label = self.request(token), self.label("leak")
        found = harmless.unknowns(self.random)
        container = self.random.choice(("json", "form", "query", "ndjson", "xml", "msgpack"))
        self.document(request, label, [(key, value) for _, key, value in found], container)
        where = "$.lines[1]." if container == "ndjson" else "query:$." if container == "query" else "$."
        label["items"] = [{"kind": kind, "value": value, "encoding": "plain", "location": "query" if container == "query" else "body",
                           "path": where + key, "known": False, "hard": False, "wire": value, "container": container, "form": "plain",
                           "chain": []} for kind, key, value in found]
        return request, label


class Innocent(Plain):
    def write(self, token):
        request, label = self.request(token), self.label("innocent")
        kind = self.random.choice((*harmless.MEDIA, "multipart", "data-uri", "prose", "json", "query"))
        count = self.random.choice((600, 3000, 20000))
        if kind in harmless.MEDIA:
            request.body, label["container"], label["ctype"] = harmless.MEDIA[kind](self.random, count), "media", kind
            request.headers.append(("Content-Type", kind))
            label["shape"]["body"] = {"fmt": "raw", "leaf": [], "wrap": {}}
        elif kind == "multipart":
            self.put_body(request, label, "multipart", {**self.noise.fields(), "photo": harmless.jpeg(self.random, count)})
            label["container"] = "multipart media"
        elif kind == "data-uri":
            image = base64.b64encode(harmless.png(self.random, 900)).decode()
            self.put_body(request, label, "json", {**self.noise.fields(), "avatar": "data:image/png;base64," + image})
            label["container"] = "json media"
        elif kind == "prose":
            self.put_body(request, label, "text", {"text": harmless.PROSE})
        else:
            self.document(request, label, list(self.noise.fields().items()), kind)
        return request, label


class Opaque(Writer):
    def write(self, token):
        request, label = self.request(token), self.label("opaque")
        name, data = harmless.opaque(self.random)
        place = self.random.choice(("body", "body", "body", "json", "form", "base64", "pb", "multipart", "ws"))
        label["note"] = f"{name}, {len(data)} bytes, {place}"
        text = base64.b64encode(data).decode()
        if place == "json":
            self.put_body(request, label, "json", {"v": 2, "data": text})
        elif place == "form":
            self.put_body(request, label, "form", {"v": 2, "payload": text})
        elif place == "pb":
            self.put_body(request, label, "pb", {1: 2, 2: data})
        elif place == "multipart":
            self.put_body(request, label, "multipart", {"v": 2, "file": data})
        elif place == "ws":
            request.method, request.proto = "GET", "ws"
            request.ws = {"msgs": [{"op": 2, "data_b64": text, "frag": []}], "deflate": False}
            label["shape"]["ws"] = [{"fmt": "raw", "leaf": [], "schema": None, "b64": False}]
        else:
            request.body = text.encode() if place == "base64" else data
            label["ctype"] = "text/plain" if place == "base64" else "application/octet-stream"
            request.headers.append(("Content-Type", label["ctype"]))
            label["shape"]["body"] = {"fmt": "raw", "leaf": [], "wrap": {}}
        label["container"] = f"opaque {place}"
        return request, label
