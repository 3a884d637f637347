import TideCore

/// One question as it is sent, and what a message has to be to answer it.
///
/// A forger off the path has to guess the id, the source port and the case of each letter (RFC 5452 §9,
/// draft-vixie-dnsext-dns0x20).
struct DNSQuery: Sendable {
  /// What a message is to this question.
  enum Fit: Sendable {
    /// Its answer.
    case answer
    /// Perhaps its answer, from a server that does not keep the case of names: to be asked again over TCP.
    case respelled
    /// Something else, to be ignored.
    case foreign
  }

  let id: UInt16
  let name: DNSName
  let type: DNSType
  /// The name with letters of random case.
  private let spelling: [UInt8]

  /// The most bytes of an answer over UDP, so that it is not fragmented.
  private static let payload: UInt16 = 1_232

  init(
    _ name: DNSName,
    _ type: DNSType,
    using random: inout some RandomNumberGenerator
  ) {
    self.id = UInt16.random(in: 0...UInt16.max, using: &random)
    self.name = name
    self.type = type
    self.spelling = name.wire.map { byte in
      let isLetter = byte &- 0x61 < 26
      return isLetter && Bool.random(using: &random) ? byte & ~0x20 : byte
    }
  }

  /// The message to send.
  ///
  /// - Parameter isExtended: whether with an OPT record (RFC 6891), which some old servers refuse.
  /// - Returns: its bytes, without the length that goes before them over TCP.
  func message(isExtended: Bool) -> [UInt8] {
    var bytes = Self.octets(self.id)
    bytes += [0x01, 0x00]  // a query; recursion is desired
    bytes += [0, 1, 0, 0, 0, 0, 0, isExtended ? 1 : 0]
    bytes += self.spelling
    bytes += Self.octets(self.type.rawValue)
    bytes += [0, 1]
    guard isExtended else { return bytes }
    bytes += [0, 0, 41]
    bytes += Self.octets(Self.payload)
    bytes += [0, 0, 0, 0, 0, 0]
    return bytes
  }

  /// Tells what `message` is to this question.
  func fit(_ message: DNSMessage) -> Fit {
    guard message.isResponse, message.isQuery, message.id == self.id,
      let question = message.questions.first, question.type == self.type.rawValue,
      question.category == 1
    else { return .foreign }
    if question.spelling == self.spelling { return .answer }
    return DNSName(spelling: question.spelling) == self.name ? .respelled : .foreign
  }

  private static func octets(_ number: UInt16) -> [UInt8] {
    [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
  }
}
