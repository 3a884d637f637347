import TideCore

@testable import TideEngineNIO

/// Makes DNS messages as servers send them, right or wrong.
struct DNSBuilder {
  var id: UInt16 = 0
  var flags: UInt16 = 0x8180
  var question: [UInt8] = []
  var answers: [[UInt8]] = []
  var authorities: [[UInt8]] = []
  var additionals: [[UInt8]] = []

  init() {}

  /// An answer to `query`, in its spelling.
  init(to query: DNSQuery, code: UInt16 = 0) {
    self.id = query.id
    self.flags |= code
    self.question = Array(query.message(isExtended: false).dropFirst(12))
  }

  /// An answer to a question, without the letters' case.
  init(to question: DNSLookup.Question, code: UInt16 = 0) {
    self.flags |= code
    self.question = question.name.wire + Self.octets(question.type.rawValue) + [0, 1]
  }

  var bytes: Bytes {
    var bytes = Self.octets(self.id) + Self.octets(self.flags)
    for count in [
      self.question.isEmpty ? 0 : 1, self.answers.count, self.authorities.count,
      self.additionals.count,
    ] { bytes += Self.octets(UInt16(count)) }
    bytes += self.question
    for record in self.answers + self.authorities + self.additionals { bytes += record }
    return Bytes(bytes)
  }

  static func octets(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

  static func name(_ text: String) -> [UInt8] {
    text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  static func record(
    _ owner: [UInt8],
    _ type: UInt16,
    ttl: UInt32 = 300,
    _ content: [UInt8]
  ) -> [UInt8] {
    var bytes = owner + self.octets(type) + [0, 1]
    bytes += self.octets(UInt16(ttl >> 16)) + self.octets(UInt16(ttl & 0xFFFF))
    return bytes + self.octets(UInt16(content.count)) + content
  }

  static func address(_ owner: String, _ address: String, ttl: UInt32 = 300) -> [UInt8] {
    guard let address = IPAddress(address) else { preconditionFailure("an address") }
    let octets = address.octets
    return self.record(self.name(owner), octets.count == 4 ? 1 : 28, ttl: ttl, octets)
  }

  static func alias(_ owner: String, _ target: String, ttl: UInt32 = 300) -> [UInt8] {
    self.record(self.name(owner), 5, ttl: ttl, self.name(target))
  }

  static func zone(ttl: UInt32, minimum: UInt32) -> [UInt8] {
    let numbers = [UInt8](repeating: 0, count: 16)
    let least = self.octets(UInt16(minimum >> 16)) + self.octets(UInt16(minimum & 0xFFFF))
    return self.record(
      self.name("example"),
      6,
      ttl: ttl,
      self.name("ns.example") + self.name("admin.example") + numbers + least
    )
  }
}
