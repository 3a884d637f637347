import TideCore
import Testing

@testable import TideHTTP

/// What came out of a codec, in a form that does not depend on how its input was cut.
enum Seen: Equatable {
  case head(String)
  case body(String)
  case trailers(String)
  case end
}

/// Everything that a codec made of its input.
struct Outcome: Equatable {
  var seen: [Seen] = []
  var failure: HTTPFailure.Code?
  var leftover = 0

  mutating func add(_ parts: [MessagePart]) {
    for part in parts {
      switch part {
      case .head(let head): self.seen.append(.head(describe(head)))
      case .trailers(let fields): self.seen.append(.trailers(describe(fields)))
      case .end: self.seen.append(.end)
      case .body(let bytes):
        if case .body(let before) = self.seen.last {
          self.seen[self.seen.count - 1] = .body(before + String(decoding: bytes, as: UTF8.self))
        } else {
          self.seen.append(.body(String(decoding: bytes, as: UTF8.self)))
        }
      }
    }
  }
}

/// A head in one line: start line, version, then the fields.
func describe(_ head: MessageHead) -> String {
  let version = head.version == .http10 ? "1.0" : "1.1"
  let start =
    switch head.start {
    case .request(let method, let target): "\(method) \(target) \(version)"
    case .response(let status, let reason): "\(version) \(status) \(reason)"
    }
  return head.fields.isEmpty ? start : "\(start) | \(describe(head.fields))"
}

func describe(_ fields: HeaderFields) -> String {
  (0..<fields.count).map { "\(fields.name(at: $0))=\(fields.value(at: $0))" }
    .joined(separator: " | ")
}

/// One way to feed a codec: as a server, or as a client that has sent requests with these methods.
enum Side: Sendable {
  case server
  case client([String])
}

/// Feeds `pieces` to a new codec, going on to the next message as soon as one is complete.
func receive(
  _ pieces: [Bytes],
  as side: Side,
  limits: Limits = Limits(),
  close: Bool = false
) -> Outcome {
  var outcome = Outcome()
  var methods: ArraySlice<String> = []
  var codec = HTTP1Codec(role: .server, limits: limits)
  if case .client(let expected) = side {
    methods = expected[...]
    codec = HTTP1Codec(role: .client, limits: limits)
    if let first = methods.popFirst() { codec.expectResponse(toMethod: Bytes(first)) }
  }
  var parts: [MessagePart] = []
  do throws(HTTPFailure) {
    for piece in pieces {
      try codec.receive(piece, &parts)
      while case .end = parts.last, case .server = side {
        outcome.add(parts)
        parts = []
        try codec.next(&parts)
      }
      if case .end = parts.last, let method = methods.popFirst() {
        outcome.add(parts)
        parts = []
        try codec.next(&parts)
        codec.expectResponse(toMethod: Bytes(method))
      }
    }
    if close { try codec.receiveEnd(&parts) }
  } catch {
    outcome.failure = error.code
  }
  outcome.add(parts)
  outcome.leftover = codec.bufferedCount
  return outcome
}

/// Feeds `input` whole, cut in two at every place, and byte by byte: it has to make no difference.
func receiveHoweverCut(
  _ input: Bytes,
  as side: Side,
  limits: Limits = Limits(),
  close: Bool = false,
  sourceLocation: SourceLocation = #_sourceLocation
) -> Outcome {
  let whole = receive([input], as: side, limits: limits, close: close)
  for cut in 1..<max(input.count, 2) where cut < input.count {
    let pieces = [input.slice(0..<cut), input.dropping(first: cut)]
    let outcome = receive(pieces, as: side, limits: limits, close: close)
    if outcome != whole {
      let message: Comment = "cut at \(cut): \(outcome) is not \(whole)"
      Issue.record(message, sourceLocation: sourceLocation)
      return whole
    }
  }
  let single = input.indices.map { input.slice($0..<$0 + 1) }
  let outcome = receive(single, as: side, limits: limits, close: close)
  #expect(outcome == whole, "byte by byte", sourceLocation: sourceLocation)
  return whole
}
