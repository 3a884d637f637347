/// Why bytes are no DNS message that can be read.
public struct DNSFailure: Error, Hashable, Sendable {
  /// What is wrong, for people; quotes nothing of the message.
  public let detail: String

  init(_ detail: String) { self.detail = detail }
}
