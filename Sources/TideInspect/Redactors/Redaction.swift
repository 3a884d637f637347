public import TideCore

/// A head in which values were replaced.
public struct RedactedHead: Sendable {
  /// The head to send; its `raw` is empty, since those bytes still held the values.
  public let head: MessageHead
  /// What was replaced, in order.
  public let changes: [RedactionRecord]
  /// Whether a signature that nobody here can make stood over what was changed.
  public var isSignatureBroken = false
}

/// A body in which values were replaced.
public struct RedactedBody: Sendable {
  /// The bytes to send, in the content coding of the original.
  ///
  /// As many as before if there is no coding; else the caller corrects Content-Length.
  public let body: Bytes
  /// What was replaced, in order.
  public let changes: [RedactionRecord]
  /// Whether a signature that nobody here can make stood over what was changed.
  public var isSignatureBroken = false
  /// Every run of bytes that was changed, the body as it is sent first.
  ///
  /// Sums in its head may have been made of any of them: see `BodyDigests`.
  public var alterations: [Alteration] = []
}

/// Which values are to be replaced, wherever they are, and which are still to be seen.
///
/// By kind and value, not by place: what streamed by was seen with the eyes of a window, and the same
/// value may stand in places that only a whole part shows.
struct RedactionOrder {
  private let wanted: Set<Seen>
  /// The values that were seen again.
  private(set) var taken: Set<Seen> = []

  init(_ findings: some Sequence<Finding>) { self.wanted = Set(findings.map { Seen($0) }) }

  var isEmpty: Bool { self.wanted.isEmpty }

  /// Whether every value was seen again.
  var isComplete: Bool { self.taken.count == self.wanted.count }

  /// Whether `seen` is to be replaced.
  mutating func takes(_ seen: Seen) -> Bool {
    guard self.wanted.contains(seen) else { return false }
    self.taken.insert(seen)
    return true
  }
}
