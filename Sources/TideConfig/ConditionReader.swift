import TideCore
import TidePolicy

/// Reads the keys under `when`, which are those under `unless` too.
struct ConditionReader {
  var reader: MappingReader
  private let kinds: [String]

  /// The keys, `header.NAME` aside.
  static let keys = [
    "device", "host", "ip", "port", "region", "asn", "protocol", "direction", "method", "path",
    "type", "size", "finding", "certainty",
  ]
  /// What a flow's protocol can be.
  private static let protocols = [
    "http/1.1", "h2", "grpc", "websocket", "stream", "tls", "tcp",
  ]
  private static let headerPrefix = "header."

  init(_ reader: MappingReader, kinds: [String]) {
    self.reader = reader
    self.kinds = kinds
  }

  /// Reads every key but `unless`.
  ///
  /// An empty list is refused: it could as well mean that nothing matches as that everything does.
  mutating func conditions() -> Conditions {
    var conditions = Conditions()
    self.read("device", .text, into: &conditions.device)
    self.read("host", .hostPattern, into: &conditions.host)
    self.read("ip", .block, into: &conditions.ip)
    self.read("port", .ports, into: &conditions.port)
    self.read("region", .region, into: &conditions.region)
    self.read("asn", .autonomousSystem, into: &conditions.asn)
    self.read("protocol", .word(of: Self.protocols), into: &conditions.protocolName)
    self.read("direction", .word, into: &conditions.direction)
    self.read("method", .method, into: &conditions.method)
    self.read("path", .pathPattern, into: &conditions.path)
    self.read("type", .mediaType, into: &conditions.type)
    self.read("size", .sizeCondition, into: &conditions.size)
    let kind = ScalarForm<String>(expected: "a kind of finding such as imei", words: self.kinds) {
      [kinds = self.kinds] in kinds.contains($0) ? $0 : nil
    }
    self.read("finding", kind, into: &conditions.finding)
    self.read("certainty", .word, into: &conditions.certainty)
    conditions.header = self.headers()
    return conditions
  }

  /// Reports the keys that are not conditions.
  func finish(known: [String] = []) {
    self.reader.finish(elsewhere: ["header": "header.NAME"], known: known)
  }

  private mutating func read<V>(_ key: String, _ form: ScalarForm<V>, into target: inout [V]) {
    self.reader.read(key, listOf: form, empty: .refused, into: &target)
  }

  private mutating func headers() -> [HeaderCondition] {
    var headers: [HeaderCondition] = []
    for entry in self.reader.entries where entry.key.hasPrefix(Self.headerPrefix) {
      let name = entry.key.dropFirst(Self.headerPrefix.count)
      var patterns: [String] = []
      self.reader.read(entry.key, listOf: .text, empty: .refused, into: &patterns)
      guard Token.isToken(name.utf8) else {
        self.reader.session.problems.report(
          "\(String(name).quotedForMessage) is not the name of a header field",
          at: entry.keyLocation
        )
        continue
      }
      headers.append(HeaderCondition(name: name.lowercased(), patterns: patterns))
    }
    return headers
  }
}
