public import TideCore

/// One value that was replaced.
public struct RedactionRecord: Hashable, Sendable {
  /// What it was.
  public let kind: FindingKind
  /// In which part of the message.
  public let location: FindingLocation
  /// Where inside the part, as in the finding.
  public let path: String
  /// The bytes replaced, counted as in the finding.
  public let range: Range<Int>
  /// What stands there now, in its canonical spelling.
  public let pseudonym: Bytes
}

/// A head in which values were replaced.
public struct RedactedHead: Sendable {
  /// The head to send; its `raw` is empty, since those bytes still held the values.
  public let head: MessageHead
  /// What was replaced, in order.
  public let changes: [RedactionRecord]
}

/// A body in which values were replaced.
public struct RedactedBody: Sendable {
  /// The bytes to send, in the content coding of the original.
  ///
  /// As many as before if there is no coding; else the caller corrects Content-Length.
  public let body: Bytes
  /// What was replaced, in order.
  public let changes: [RedactionRecord]
}

/// Which findings are to be replaced, and which are still to be seen.
struct RedactionOrder {
  private struct Key: Hashable {
    let kind: FindingKind
    let location: FindingLocation
    let path: String
    let range: Range<Int>
    let value: Bytes

    init(_ finding: Finding) {
      self.kind = finding.kind
      self.location = finding.location
      self.path = finding.path
      self.range = finding.range
      self.value = finding.value
    }
  }

  private let wanted: Set<Key>
  private var unseen: Set<Key>

  init(_ findings: some Sequence<Finding>) {
    self.wanted = Set(findings.map(Key.init))
    self.unseen = self.wanted
  }

  var isEmpty: Bool { self.wanted.isEmpty }

  /// Whether every finding was seen again.
  var isComplete: Bool { self.unseen.isEmpty }

  /// Whether `finding` is to be replaced.
  mutating func takes(_ finding: Finding) -> Bool {
    let key = Key(finding)
    self.unseen.remove(key)
    return self.wanted.contains(key)
  }
}
