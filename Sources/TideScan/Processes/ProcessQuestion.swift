import FoundationEssentials
import TideCore
import TideProxy

/// The line that a process is given about a message.
struct ProcessQuestion: Encodable {
  let flow: String
  let device: String
  let direction: String
  let method: String
  let url: String
  /// Nil of a request.
  let status: Int?
  /// Names and values in their order.
  let headers: [[String]]
  /// Base64 of the content without its content coding, or with it if that could not be taken off.
  let body: Data
  /// The same as text, if it is UTF-8.
  let text: String?
  /// The content codings that are still on; nil if none is.
  let coding: String?

  /// The bytes that `body` holds.
  let content: Bytes

  private enum CodingKeys: String, CodingKey {
    case flow, device, direction, method, url, status, headers, body, text, coding
  }

  init(_ request: ScanRequest, contentLimit: Int) {
    let head = request.head
    let decoded = request.decodedContent(limit: contentLimit)
    let content = decoded ?? request.content
    self.content = content
    self.flow = request.flow.description
    self.device = request.device
    self.direction = request.direction.rawValue
    self.method = request.request.method.text
    self.url = request.url
    self.status = request.response?.status
    self.headers = (0..<head.fields.count).map {
      [head.fields.name(at: $0).text, head.fields.value(at: $0).text]
    }
    self.body = Data(content.array)
    self.text = String(validating: content.array, as: UTF8.self)
    self.coding = decoded == nil ? head.fields.first("content-encoding")?.text : nil
  }

  /// The question as one line, its end included.
  func line() throws(ScanFailure) -> [UInt8] {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.withoutEscapingSlashes]
      return Array(try encoder.encode(self)) + [0x0A]
    } catch {
      throw ScanFailure(.malformed, "the message cannot be written as JSON")
    }
  }
}

/// The line that a process answers with.
struct ProcessReply: Decodable {
  private struct Found: Decodable {
    let kind: String
    let certainty: String?
    let offset: Int?
    let length: Int?
    let path: String?
  }

  private let findings: [Found]?
  private let verdict: String?
  private let reason: String?

  /// The most findings of an answer.
  private static let most = 256

  /// Reads a line about `content`.
  ///
  /// - Throws: `malformed` for anything that is not as documented: an answer that is half understood is none.
  static func answer(
    _ line: some Collection<UInt8>,
    about content: Bytes
  ) throws(ScanFailure) -> ScanAnswer {
    let reply: ProcessReply
    do {
      reply = try JSONDecoder().decode(ProcessReply.self, from: Data(line))
    } catch {
      throw ScanFailure(.malformed, "no answer: \"\(ScanFailure.quoted(line))\"")
    }
    let found = reply.findings ?? []
    guard found.count <= Self.most else {
      throw ScanFailure(.overLimit, "more than \(Self.most) findings")
    }
    var findings: [ScanFinding] = []
    for entry in found { findings.append(try Self.finding(entry, content)) }
    switch reply.verdict ?? "pass" {
    case "pass": return ScanAnswer(findings: findings)
    case "block":
      let reason = ScanFailure.quoted((reply.reason ?? "").utf8)
      return ScanAnswer(
        findings: findings,
        verdict: .refuse(reason: reason.isEmpty ? "no reason given" : reason)
      )
    default:
      throw ScanFailure(
        .malformed,
        "verdict \"\(ScanFailure.quoted((reply.verdict ?? "").utf8))\" is neither pass nor block"
      )
    }
  }

  private static func finding(
    _ found: Found,
    _ content: Bytes
  ) throws(ScanFailure) -> ScanFinding {
    let isName = found.kind.utf8.allSatisfy { byte in
      ASCII.isDigit(byte) || byte &- 0x61 < 26 || byte == 0x5F || byte == 0x2D || byte == 0x2E
    }
    guard isName, !found.kind.isEmpty, found.kind.utf8.count <= 64 else {
      throw ScanFailure(.malformed, "kind \"\(ScanFailure.quoted(found.kind.utf8))\" is no name")
    }
    guard let certainty = Certainty(rawValue: found.certainty ?? "possible") else {
      throw ScanFailure(.malformed, "a certainty that is none")
    }
    var range: Range<Int>?
    switch (found.offset, found.length) {
    case (nil, nil): break
    case (let offset?, let length?):
      guard offset >= 0, length > 0, offset <= content.count, length <= content.count - offset
      else { throw ScanFailure(.malformed, "a place outside the content") }
      range = offset..<(offset + length)
    case (nil, .some), (.some, nil):
      throw ScanFailure(.malformed, "offset and length go together")
    }
    return ScanFinding(
      kind: FindingKind(found.kind),
      certainty: certainty,
      path: String((found.path ?? "").prefix(256)),
      range: range,
      value: range.map { content.slice($0) } ?? Bytes()
    )
  }
}
