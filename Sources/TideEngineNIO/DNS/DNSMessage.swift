public import TideCore

/// What is asked of a name (RFC 1035 §3.2.2, RFC 3596).
enum DNSType: UInt16, Sendable, CaseIterable {
  case a = 1
  case aaaa = 28
}

/// A DNS message that was read (RFC 1035 §4), as far as looking addresses up needs it.
///
/// Of a truncated message, which ends anywhere, only header and question are read.
public struct DNSMessage: Sendable {
  /// What was asked.
  struct Question: Sendable {
    /// The name in the spelling that the message has.
    let spelling: [UInt8]
    let type: UInt16
    let category: UInt16
  }

  /// A record of the answer or of the authority section.
  struct Record: Sendable {
    /// What it holds.
    enum Content: Sendable {
      case address(IPAddress)
      case alias(DNSName)
      /// The start of a zone, with the TTL of names that are not there (RFC 2308 §4).
      case zone(negativeTTL: UInt32)
      case other
    }

    let owner: DNSName
    let type: UInt16
    let ttl: UInt32
    let content: Content
  }

  let id: UInt16
  let isResponse: Bool
  let isQuery: Bool
  let isTruncated: Bool
  /// The response code, with its upper bits if there is an OPT record (RFC 6891 §6.1.3).
  private(set) var code: UInt16
  private(set) var questions: [Question] = []
  private(set) var answers: [Record] = []
  private(set) var authorities: [Record] = []

  /// The most records of a message that are read; one with more is none that we asked for.
  static let mostRecords = 1_024
  private static let internet: UInt16 = 1

  /// Reads a whole message.
  ///
  /// - Throws: if a part of it lies outside it, contradicts itself, or is more than is read.
  public init(_ bytes: Bytes) throws(DNSFailure) {
    var reader = DNSReader(bytes)
    self.id = try reader.number16()
    let flags = try reader.number16()
    self.isResponse = flags & 0x8000 != 0
    self.isQuery = flags & 0x7800 == 0
    self.isTruncated = flags & 0x0200 != 0
    self.code = flags & 0xF
    let questions = try reader.number16()
    var counts: [Int] = []
    for _ in 0..<3 { counts.append(Int(try reader.number16())) }
    guard questions <= 1 else { throw DNSFailure("more than one question") }
    guard counts.reduce(0, +) <= Self.mostRecords else {
      throw DNSFailure("more than \(Self.mostRecords) records")
    }
    if questions == 1 {
      self.questions.append(
        Question(
          spelling: try reader.spelling(),
          type: try reader.number16(),
          category: try reader.number16()
        )
      )
    }
    if self.isTruncated { return }
    for _ in 0..<counts[0] { self.answers.append(try self.record(&reader)) }
    for _ in 0..<counts[1] { self.authorities.append(try self.record(&reader)) }
    for _ in 0..<counts[2] { _ = try self.record(&reader) }
  }

  private mutating func record(_ reader: inout DNSReader) throws(DNSFailure) -> Record {
    let owner = try reader.name()
    let type = try reader.number16()
    let category = try reader.number16()
    let ttl = try reader.number32()
    let length = Int(try reader.number16())
    let end = reader.position + length
    let content: Record.Content
    switch type {
    case 1 where category == Self.internet, 28 where category == Self.internet:
      let octets = try reader.take(length)
      guard octets.count == (type == 1 ? 4 : 16), let address = IPAddress(octets: octets) else {
        throw DNSFailure("an address of the wrong length")
      }
      content = .address(address)
    case 5 where category == Self.internet: content = .alias(try reader.name())
    case 6 where category == Self.internet:
      _ = try reader.name()
      _ = try reader.name()
      for _ in 0..<4 { _ = try reader.number32() }
      content = .zone(negativeTTL: Self.time(try reader.number32()))
    case 41:
      self.code |= UInt16(ttl >> 24) << 4
      _ = try reader.take(length)
      content = .other
    default:
      _ = try reader.take(length)
      content = .other
    }
    guard reader.position == end else { throw DNSFailure("a record of the wrong length") }
    return Record(owner: owner, type: type, ttl: Self.time(ttl), content: content)
  }

  /// A time to live with the top bit set is none (RFC 2181 §8).
  private static func time(_ number: UInt32) -> UInt32 { number >> 31 == 0 ? number : 0 }

  /// The response code's name (RFC 1035 §4.1.1, RFC 6895 §2.3).
  var codeName: String {
    switch self.code {
    case 0: "NOERROR"
    case 1: "FORMERR"
    case 2: "SERVFAIL"
    case 3: "NXDOMAIN"
    case 4: "NOTIMP"
    case 5: "REFUSED"
    default: "RCODE \(self.code)"
    }
  }
}
