public import TideCore
public import TideProxy

/// One of `inspect.processes`: a program that is shown messages, one JSON line each.
public struct ProcessSettings: Hashable, Sendable {
  /// Its name in records.
  public let name: String
  /// The program, found by `PATH` if it has no slash, and its arguments; no shell reads them.
  public let command: [String]
  /// The folder that it runs in.
  public let directory: String
  /// The messages that it is asked about.
  public let directions: Set<Direction>
  /// How long it may take over a message, in nanoseconds.
  public let timeout: UInt64
  /// What becomes of a message that it did not look at.
  public let onError: ScanErrorPolicy

  /// Joins a program's settings.
  public init(
    name: String,
    command: [String],
    directory: String,
    directions: Set<Direction>,
    timeout: UInt64,
    onError: ScanErrorPolicy
  ) {
    self.name = name
    self.command = command
    self.directory = directory
    self.directions = directions
    self.timeout = timeout
    self.onError = onError
  }
}
