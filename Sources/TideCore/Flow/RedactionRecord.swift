/// One value that was replaced by a pseudonym; the value itself is in the case alone.
public struct RedactionRecord: Hashable, Sendable {
  /// What it was.
  public let kind: FindingKind
  /// In which part of the message.
  public let location: FindingLocation
  /// Where inside the part, as in the finding.
  public let path: String
  /// The bytes replaced, counted as in the finding; of a value inside a layer, the bytes of the layer.
  public let range: Range<Int>
  /// What stands there now, in its canonical spelling.
  public let pseudonym: Bytes

  /// Joins a record.
  public init(
    kind: FindingKind,
    location: FindingLocation,
    path: String,
    range: Range<Int>,
    pseudonym: Bytes
  ) {
    self.kind = kind
    self.location = location
    self.path = path
    self.range = range
    self.pseudonym = pseudonym
  }
}
