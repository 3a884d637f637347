import TideCore
import TideProxy

/// One question to an ICAP service and its answer, without I/O: bytes in, bytes out.
///
/// ```
///  start ─► preview sent ──100 Continue──► rest sent ──► answer
///               └───────────── 204, 200 ─────────────────►┘
/// ```
struct ICAPExchange {
  /// What is to be done next.
  enum Step {
    /// Wait for more.
    case wait
    /// Send these bytes.
    case send(Bytes)
    /// It is over; the connection can be used again if it says so.
    case done(ICAPResponse, isReusable: Bool)
  }

  private enum State {
    /// The service has seen the beginning of the content.
    case previewed(rest: Bytes)
    /// The service has seen all of it.
    case sent
  }

  /// What the server is sent first.
  let opening: Bytes
  private var state: State
  private var parser: ICAPParser

  /// Asks what a service can do.
  init(optionsOf settings: ICAPSettings) {
    self.opening = Bytes(
      "OPTIONS \(settings.url) ICAP/1.0\r\nHost: \(settings.authority)\r\n"
        + "Encapsulated: null-body=0\r\n\r\n"
    )
    self.state = .sent
    self.parser = ICAPParser(contentLimit: ICAPParser.headLimit)
  }

  /// Shows a message.
  init(
    _ request: ScanRequest,
    to settings: ICAPSettings,
    _ options: ICAPOptions,
    contentLimit: Int
  ) {
    let requestHead = Self.requestHead(request)
    let responseHead = request.response.map(Self.responseHead)
    let shown = settings.direction == .request ? nil : responseHead ?? []
    let content = request.content
    let heads = requestHead.count + (shown?.count ?? 0)
    var parts = "req-hdr=0"
    if shown != nil { parts += ", res-hdr=\(requestHead.count)" }
    let body = settings.direction == .request ? "req-body" : "res-body"
    parts += content.isEmpty ? ", null-body=\(heads)" : ", \(body)=\(heads)"
    var head = "\(settings.method) \(settings.url) ICAP/1.0\r\nHost: \(settings.authority)\r\n"
    if options.allows204 { head += "Allow: 204\r\n" }
    var preview: Int?
    if let offered = options.preview, !content.isEmpty,
      options.transfer(of: request.url) == .preview
    {
      let count = min(offered, content.count)
      preview = count
      head += "Preview: \(count)\r\n"
    }
    head += "X-Client-IP: \(request.client)\r\nEncapsulated: \(parts)\r\n\r\n"
    var opening = Array(head.utf8) + requestHead + (shown ?? [])
    var state = State.sent
    if !content.isEmpty {
      let first = preview ?? content.count
      Self.write(content.slice(0..<first), &opening)
      if preview == nil {
        opening += Self.lastChunk
      } else if first == content.count {
        opening += Array("0; ieof\r\n\r\n".utf8)  // RFC 3507 §4.5: there is no more
      } else {
        opening += Self.lastChunk
        state = .previewed(rest: content.dropping(first: first))
      }
    }
    self.opening = Bytes(opening)
    self.state = state
    self.parser = ICAPParser(contentLimit: contentLimit)
  }

  /// Whether a byte of the answer has come.
  var hasBegun: Bool { !self.parser.isIdle }

  /// Takes what the server sent.
  ///
  /// - Throws: if that makes no sense; the connection is of no more use.
  mutating func receive(_ bytes: Bytes) throws(ScanFailure) -> Step {
    guard let response = try self.parser.receive(bytes) else { return .wait }
    guard response.status == 100 else {
      var isReusable = self.parser.isIdle
      if case .previewed = self.state, response.status != 204, response.status != 200 {
        isReusable = false
      }
      if response.fields.tokens("connection").contains("close") { isReusable = false }
      return .done(response, isReusable: isReusable)
    }
    guard case .previewed(let rest) = self.state, self.parser.isIdle else {
      throw ScanFailure(.malformed, "100 Continue without a reason")
    }
    self.state = .sent
    var output: [UInt8] = []
    Self.write(rest, &output)
    return .send(Bytes(output + Self.lastChunk))
  }

  // MARK: Writing

  private static let lastChunk = Array("0\r\n\r\n".utf8)
  private static let lineEnd: [UInt8] = [0x0D, 0x0A]

  private static func write(_ bytes: Bytes, _ output: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    output += Array(String(bytes.count, radix: 16).utf8) + self.lineEnd
    output += bytes.array
    output += self.lineEnd
  }

  /// The request as a proxy has it: absolute-form, HTTP/1.1, with a Host.
  static func requestHead(_ request: ScanRequest) -> [UInt8] {
    var text = request.request.method.array + [0x20] + Self.visible(request.url)
    text += Array(" HTTP/1.1\r\n".utf8)
    if request.request.fields.firstIndex(named: "host") == nil {
      text += Array("Host: ".utf8) + Self.authority(of: request.url) + self.lineEnd
    }
    self.write(request.request.fields, &text)
    return text
  }

  private static func responseHead(_ head: MessageHead) -> [UInt8] {
    var text = Array("HTTP/1.1 \(head.status) ".utf8)
    if case .response(_, let reason) = head.start { text += reason.array }
    text += self.lineEnd
    self.write(head.fields, &text)
    return text
  }

  /// Every field but those that frame the message on the wire: here it is framed by ICAP.
  private static func write(_ fields: HeaderFields, _ text: inout [UInt8]) {
    for index in 0..<fields.count
    where !fields.isNamed("transfer-encoding", at: index) && !fields.isNamed("trailer", at: index) {
      text += fields.name(at: index).array + [0x3A, 0x20] + fields.value(at: index).array
      text += self.lineEnd
    }
    text += self.lineEnd
  }

  /// A URL as it may stand in a request line, whatever a device put into its target.
  private static func visible(_ url: String) -> [UInt8] {
    url.utf8.map { $0 <= 0x20 || $0 == 0x7F ? 0x3F : $0 }
  }

  private static func authority(of url: String) -> [UInt8] {
    let rest = url.utf8.drop { $0 != 0x2F }.dropFirst(2)
    return rest.prefix { $0 != 0x2F && $0 != 0x3F && $0 != 0x23 }.map { $0 }
  }
}
