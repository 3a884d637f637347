public import TideCore
public import TideProxy

/// One of `inspect.icap`: a service of an ICAP server (RFC 3507), and what it is asked about.
public struct ICAPSettings: Hashable, Sendable {
  /// Its name in records.
  public let name: String
  /// The server's name or address.
  public let host: String
  /// Its port.
  public let port: UInt16
  /// The service's path and query.
  public let service: String
  /// `request` for REQMOD, `response` for RESPMOD.
  public let direction: Direction
  /// How long it may take over a message, in nanoseconds.
  public let timeout: UInt64
  /// What becomes of a message that it did not look at.
  public let onError: ScanErrorPolicy

  /// Joins a service's settings.
  public init(
    name: String,
    host: String,
    port: UInt16,
    service: String,
    direction: Direction,
    timeout: UInt64,
    onError: ScanErrorPolicy
  ) {
    self.name = name
    self.host = host
    self.port = port
    self.service = service
    self.direction = direction
    self.timeout = timeout
    self.onError = onError
  }

  /// The method by which it is asked.
  var method: String { self.direction == .request ? "REQMOD" : "RESPMOD" }

  /// The host as it stands in a URL, with brackets around IPv6, and the port.
  var authority: String {
    self.host.utf8.contains(0x3A) ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
  }

  /// The service's whole URL.
  var url: String { "icap://\(self.authority)\(self.service)" }
}
