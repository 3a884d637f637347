public import TideCore
import TidePolicy

extension Configuration {
  /// What becomes of a message that a scanner outside the process could not look at.
  public enum ScanError: String, CaseIterable, Sendable {
    /// It is refused, in enforcing modes.
    case block
    /// It goes on.
    case bypass
  }

  /// One of `inspect.icap`: a service of an ICAP server (RFC 3507).
  public struct ICAPService: Hashable, Sendable {
    /// Which messages it is asked about.
    public enum Mode: String, CaseIterable, Sendable {
      /// Requests.
      case reqmod
      /// Responses.
      case respmod
    }

    /// Its name in records.
    public var name: String
    /// The server's name or address.
    public var host: String
    /// Its port.
    public var port: UInt16
    /// The service's path and query.
    public var service: String
    /// Which messages it is asked about.
    public var mode: Mode
    /// How long it may take over a message, in nanoseconds.
    public var timeout: UInt64
    /// What becomes of a message that it could not look at; nil for what the mode says.
    public var onError: ScanError?
  }

  /// One of `inspect.processes`: a program that is shown messages, one JSON line each.
  public struct ScanProcess: Hashable, Sendable {
    /// Its name in records.
    public var name: String
    /// The program and its arguments; it runs in the configuration's folder.
    public var command: [String]
    /// Which messages it is asked about.
    public var directions: [Direction]
    /// The kinds of findings that it adds to those that rules can name.
    public var kinds: [String]
    /// How long it may take over a message, in nanoseconds.
    public var timeout: UInt64
    /// What becomes of a message that it could not look at; nil for what the mode says.
    public var onError: ScanError?
  }

  /// The kinds of findings that rules can name because of what the scanners are.
  public var scannerKinds: [String] {
    guard !self.inspect.icap.isEmpty || !self.inspect.processes.isEmpty else { return [] }
    return ["scanner"] + self.inspect.processes.flatMap(\.kinds)
  }
}

extension Configuration.Inspect {
  /// How long a scanner may take if nothing is written.
  private static let timeout: UInt64 = 5_000_000_000

  /// Reads `icap` and `processes` if they are written.
  mutating func readScanners(_ inspect: inout MappingReader) {
    if let entries = Self.entries("icap", &inspect) {
      self.icap = entries.compactMap { Self.service($0, inspect) }
    }
    if let entries = Self.entries("processes", &inspect) {
      self.processes = entries.compactMap { Self.process($0, inspect) }
    }
    let names = self.icap.map(\.name) + self.processes.map(\.name)
    for (index, name) in names.enumerated() where names[..<index].contains(name) {
      inspect.report("\(name.quotedForMessage) names two scanners", key: "icap", at: nil)
    }
  }

  private static func entries(_ key: String, _ inspect: inout MappingReader) -> [YAMLValue]? {
    inspect.session.note(inspect.name(of: key), .list)
    return inspect.value(key).map { value in
      if case .list(let items) = value.content { items } else { [value] }
    }
  }

  private static func service(
    _ entry: YAMLValue,
    _ inspect: MappingReader
  ) -> Configuration.ICAPService? {
    var reader = MappingReader(
      entry,
      path: inspect.name(of: "icap"),
      what: "{ name: …, url: icap://…, mode: reqmod | respmod }",
      session: inspect.session
    )
    guard reader.isMapping else { return nil }
    var name: String?
    var url: ICAPAddress?
    var mode: Configuration.ICAPService.Mode?
    reader.read("name", required: .identifier("a name"), into: &name)
    reader.read("url", required: .icapURL, into: &url)
    reader.read("mode", required: .word, into: &mode)
    let (timeout, onError) = Self.ending(&reader)
    guard let name, let url, let mode else { return nil }
    return Configuration.ICAPService(
      name: name,
      host: url.host,
      port: url.port,
      service: url.service,
      mode: mode,
      timeout: timeout,
      onError: onError
    )
  }

  private static func process(
    _ entry: YAMLValue,
    _ inspect: MappingReader
  ) -> Configuration.ScanProcess? {
    var reader = MappingReader(
      entry,
      path: inspect.name(of: "processes"),
      what: "{ name: …, command: [...] }",
      session: inspect.session
    )
    guard reader.isMapping else { return nil }
    var name: String?
    var command: [String] = []
    var directions = Direction.allCases
    var kinds: [String] = []
    reader.read("name", required: .identifier("a name"), into: &name)
    if !reader.has("command") { reader.reportMissing("command") }
    reader.read("command", listOf: .argument, empty: .refused, into: &command)
    reader.read("direction", listOf: .word, empty: .refused, into: &directions)
    reader.read("kinds", listOf: .findingKind, into: &kinds)
    let (timeout, onError) = Self.ending(&reader)
    guard let name, !command.isEmpty else { return nil }
    return Configuration.ScanProcess(
      name: name,
      command: command,
      directions: directions,
      kinds: kinds,
      timeout: timeout,
      onError: onError
    )
  }

  /// What both kinds of scanners end with.
  private static func ending(
    _ reader: inout MappingReader
  ) -> (timeout: UInt64, onError: Configuration.ScanError?) {
    var timeout = Self.timeout
    var onError: Configuration.ScanError?
    reader.read("timeout", .nanoseconds(.milliseconds(1)...(.seconds(600))), into: &timeout)
    reader.read("on_error", optional: .word, into: &onError)
    reader.finish()
    return (timeout, onError)
  }
}

/// The parts of an `icap` URL.
struct ICAPAddress {
  let host: String
  let port: UInt16
  let service: String
}

extension ScalarForm where Value == ICAPAddress {
  /// `icap://HOST[:PORT]/SERVICE` (RFC 3507 §4.2); the port is 1344 if there is none.
  fileprivate static var icapURL: Self {
    Self(
      expected: "an address such as icap://127.0.0.1:1344/avscan",
      objection: { text in
        text.hasPrefix("icaps://")
          ? "is ICAP over TLS, which is not available in this version" : nil
      },
      read: Self.icap
    )
  }

  private static func icap(_ text: String) -> ICAPAddress? {
    let scheme = "icap://"
    guard text.hasPrefix(scheme), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 })
    else { return nil }
    let rest = text.dropFirst(scheme.count)
    let end = rest.firstIndex(of: "/") ?? rest.endIndex
    let named = rest[..<end]
    // Brackets hold colons: the port comes after them.
    let isBracketed = named.hasPrefix("[")
    let colon = isBracketed ? named.lastIndex(of: "]") : named.lastIndex(of: ":")
    var host = String(named)
    var port: UInt16 = 1_344
    if isBracketed {
      guard let colon else { return nil }
      host = String(named[named.index(after: named.startIndex)..<colon])
      let tail = named[named.index(after: colon)...]
      if !tail.isEmpty {
        guard tail.hasPrefix(":"), let number = UInt16(tail.dropFirst()) else { return nil }
        port = number
      }
    } else if let colon {
      host = String(named[..<colon])
      guard let number = UInt16(named[named.index(after: colon)...]) else { return nil }
      port = number
    }
    let isKnown = isBracketed ? IPAddress(host) != nil : Host(host) != nil
    guard isKnown, port > 0, !host.isEmpty else { return nil }
    let service = end == rest.endIndex ? "/" : String(rest[end...])
    return ICAPAddress(host: host, port: port, service: service)
  }
}

extension ScalarForm where Value == String {
  /// A program or an argument of one.
  fileprivate static var argument: Self {
    Self(expected: "a program or an argument of one") { $0.utf8.contains(0) ? nil : $0 }
  }

  /// The name of a kind of findings.
  fileprivate static var findingKind: Self {
    Self(expected: "a kind of a-z, 0-9 and _, at most 64 characters") { text in
      let isLegal = text.utf8.allSatisfy { ASCII.isDigit($0) || $0 &- 0x61 < 26 || $0 == 0x5F }
      return isLegal && (1...64).contains(text.utf8.count) ? text : nil
    }
  }
}
