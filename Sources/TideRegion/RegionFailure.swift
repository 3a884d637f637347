/// Why a region source could not be used.
public struct RegionFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: String, CaseIterable, Sendable {
    /// The file is not there or cannot be mapped.
    case unreadable
    /// The file is not what its format says.
    case malformed
    /// A range begins before the one that precedes it.
    case unsorted
    /// A range shares addresses with the one that precedes it.
    case overlapping
    /// The file names no range at all.
    case empty
    /// An entry that was asked for cannot be decoded.
    case damagedRecord = "damaged-record"
  }

  /// What went wrong.
  public let code: Code
  /// The file's name.
  public let source: String
  /// The line, counted from 1, of a text file.
  public let line: Int?
  /// For people; quotes at most 64 bytes of the file.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, source: String, line: Int? = nil, detail: String) {
    self.code = code
    self.source = source
    self.line = line
    self.detail = detail
  }
}

extension RegionFailure: CustomStringConvertible {
  /// `file:line: detail`, or `file: detail`.
  public var description: String {
    guard let line = self.line else { return "\(self.source): \(self.detail)" }
    return "\(self.source):\(line): \(self.detail)"
  }
}
