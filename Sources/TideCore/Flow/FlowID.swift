/// The number of a flow, unique within a case.
public struct FlowID: Hashable, Sendable {
  /// Counts from 1.
  public let number: UInt64

  /// Makes an identifier.
  public init(_ number: UInt64) { self.number = number }

  /// Reads `f-000042` or `42`; nil for anything else.
  public init?(text: some StringProtocol) {
    let digits = text.hasPrefix("f-") ? text.dropFirst(2) : text[...]
    guard let number = UInt64(digits), number > 0 else { return nil }
    self.number = number
  }
}

extension FlowID: CustomStringConvertible {
  /// `f-000042`.
  public var description: String {
    let digits = String(self.number)
    return "f-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }
}

/// The number of a device's connection, unique within a case.
public struct ConnectionID: Hashable, Sendable {
  /// Counts from 1.
  public let number: UInt64

  /// Makes an identifier.
  public init(_ number: UInt64) { self.number = number }
}

extension ConnectionID: CustomStringConvertible {
  /// `c-000042`.
  public var description: String {
    let digits = String(self.number)
    return "c-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }
}
