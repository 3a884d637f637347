import TideCore

/// What a service says of itself in answer to OPTIONS (RFC 3507 §4.10.2), as far as we go by it.
struct ICAPOptions: Sendable {
  /// How content goes to the service.
  enum Transfer: Hashable, Sendable {
    /// Its beginning first.
    case preview
    /// All at once.
    case complete
    /// Not at all: it does not want to see it.
    case ignore
  }

  /// How many bytes it wants to see first; nil if it knows no previews.
  var preview: Int?
  /// Whether it may say "unchanged" to a message that it has seen whole.
  var allows204 = false
  /// How many connections it takes; nil if it does not say.
  var maxConnections: Int?
  /// How long this holds, in seconds.
  var lifetime: UInt64 = 3_600
  /// The state of its rules; another one makes this void.
  var tag = Bytes()
  private var lists: [(transfer: Transfer, extensions: Set<String>)] = []

  /// What is supposed of a service that has no OPTIONS.
  init() {}

  /// Reads an answer.
  ///
  /// - Throws: `refused` if it is none, or the service does not know the method.
  init(_ response: ICAPResponse, for method: String) throws(ScanFailure) {
    guard response.status == 200 else {
      throw ScanFailure(.refused, "OPTIONS was answered with \(response.status)")
    }
    let fields = response.fields
    let methods = fields.all("methods").flatMap { $0.split(separator: 0x2C) }.map {
      String(decoding: $0.filter { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self).uppercased()
    }
    guard methods.isEmpty || methods.contains(method) else {
      throw ScanFailure(.refused, "the service knows no \(method)")
    }
    self.preview = Self.number(fields.first("preview")).map { min($0, 1 << 20) }
    self.allows204 = fields.tokens("allow").contains("204")
    self.maxConnections = Self.number(fields.first("max-connections")).map { max(1, $0) }
    self.lifetime = Self.number(fields.first("options-ttl")).map { UInt64(max(1, $0)) } ?? 3_600
    self.tag = fields.first("istag") ?? Bytes()
    self.lists = [
      (.ignore, Set(fields.tokens("transfer-ignore"))),
      (.complete, Set(fields.tokens("transfer-complete"))),
      (.preview, Set(fields.tokens("transfer-preview"))),
    ]
  }

  private static func number(_ value: Bytes?) -> Int? {
    guard let value, !value.isEmpty, value.count <= 9, value.allSatisfy(ASCII.isDigit) else {
      return nil
    }
    return value.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  /// How the content of a URL goes: by its file name's extension, else by the list that has `*`.
  func transfer(of url: String) -> Transfer {
    let path = url.prefix { $0 != "?" && $0 != "#" }
    let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    let suffix =
      name.contains(".") ? String(name.split(separator: ".").last ?? "").lowercased() : ""
    if !suffix.isEmpty, let list = self.lists.first(where: { $0.extensions.contains(suffix) }) {
      return list.transfer
    }
    return self.lists.first { $0.extensions.contains("*") }?.transfer ?? .preview
  }
}
