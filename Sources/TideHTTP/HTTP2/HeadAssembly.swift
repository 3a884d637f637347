import TideCore

/// Gathers the field lines of one header block as HPACK yields them.
///
/// One buffer becomes the head's raw bytes and what its fields point into. Past a limit, or once a line
/// cannot be right, nothing more is kept, but lines are still counted: HPACK's state has to go on.
struct HeadAssembly {
  /// What the block belongs to.
  enum Section {
    /// A stream that nobody knows any more.
    case ignored
    case request, response, trailers
  }

  /// Which pseudo-field (RFC 9113 §8.3, RFC 8441 §4).
  private enum Pseudo: Int {
    case method, path, scheme, authority, status, protocolName

    static let count = 6

    var name: StaticString {
      switch self {
      case .method: ":method"
      case .path: ":path"
      case .scheme: ":scheme"
      case .authority: ":authority"
      case .status: ":status"
      case .protocolName: ":protocol"
      }
    }

    func belongs(in section: Section) -> Bool {
      switch self {
      case .method, .path, .scheme, .authority, .protocolName: section == .request
      case .status: section == .response
      }
    }
  }

  private let bounds: HeadParser.Bounds
  private(set) var section = Section.ignored
  private var buffer: [UInt8] = []
  private var slots: [HeaderFields.Slot] = []
  private var pseudo = [Range<Int>?](repeating: nil, count: Pseudo.count)
  private var failure: HTTPFailure?
  /// The size of all lines, kept or not, as RFC 9113 §6.5.2 counts it.
  private(set) var listSize = 0

  init(bounds: HeadParser.Bounds) { self.bounds = bounds }

  mutating func begin(_ section: Section) {
    self.section = section
    self.buffer = []
    self.slots = []
    for index in self.pseudo.indices { self.pseudo[index] = nil }
    self.failure = nil
    self.listSize = 0
    guard section != .ignored else { return }
    self.buffer.reserveCapacity(section == .trailers ? 128 : 512)
    self.slots.reserveCapacity(section == .trailers ? 4 : 16)
  }

  /// Adds a line; the memory is the caller's.
  mutating func add(
    name: UnsafeBufferPointer<UInt8>,
    value: UnsafeBufferPointer<UInt8>,
    isNeverIndexed: Bool
  ) {
    self.listSize += name.count + value.count + 32
    guard self.failure == nil, self.section != .ignored else { return }
    let start = self.buffer.count
    let nameEnd = start + name.count
    let valueStart = nameEnd + 2
    let valueEnd = valueStart + value.count
    guard valueEnd + 4 <= self.bounds.bytes else {
      return self.refuse(.headTooLarge, "no end within \(self.bounds.bytes) bytes")
    }
    unsafe self.buffer.append(contentsOf: name)
    self.buffer.append(Octet.colon)
    self.buffer.append(Octet.space)
    unsafe self.buffer.append(contentsOf: value)
    self.buffer.append(Octet.carriageReturn)
    self.buffer.append(Octet.lineFeed)
    if unsafe name.first == Octet.colon {
      self.addPseudo(name: start..<nameEnd, value: valueStart..<valueEnd)
    } else if self.slots.count == self.bounds.fields {
      self.refuse(.headTooLarge, "more than \(self.bounds.fields) fields")
    } else {
      self.slots.append(
        HeaderFields.Slot(
          name: start..<nameEnd,
          value: valueStart..<valueEnd,
          isNeverIndexed: isNeverIndexed
        )
      )
    }
  }

  private mutating func addPseudo(name: Range<Int>, value: Range<Int>) {
    guard self.slots.isEmpty else {
      return self.refuse(.malformedHead, "a pseudo-field after other fields")
    }
    let field = self.pseudoField(name)
    guard let field, field.belongs(in: self.section) else {
      return self.refuse(.malformedHead, "a pseudo-field that may not stand here")
    }
    guard self.pseudo[field.rawValue] == nil else {
      return self.refuse(.malformedHead, "\(field.name) twice")
    }
    self.pseudo[field.rawValue] = value
  }

  private func pseudoField(_ name: Range<Int>) -> Pseudo? {
    let span = self.buffer.span.extracting(name)
    let field: Pseudo
    switch name.count {
    case 5: field = .path
    case 7:
      // The third letter tells the three apart.
      field = span[2] == 0x65 ? .method : span[2] == 0x63 ? .scheme : .status
    case 9: field = .protocolName
    case 10: field = .authority
    default: return nil
    }
    return span.isExactly(field.name) ? field : nil
  }

  private mutating func refuse(_ code: HTTPFailure.Code, _ detail: String) {
    self.failure = HTTPFailure(code, detail: detail)
    self.buffer = []
    self.slots = []
  }

  /// Ends a request's or response's block.
  mutating func head() throws(HTTPFailure) -> MessageHead {
    let (raw, fields) = try self.end()
    let start: StartLine
    var pseudo: PseudoFields?
    if self.section == .response {
      guard let status = self.value(.status, in: raw).flatMap(Self.status) else {
        throw HTTPFailure(.malformedHead, detail: "no :status of three digits")
      }
      start = .response(status: status, reason: Bytes())
    } else {
      guard let method = self.value(.method, in: raw) else {
        throw HTTPFailure(.malformedHead, detail: "no :method")
      }
      guard let path = self.value(.path, in: raw) else {
        throw HTTPFailure(.malformedHead, detail: "no :path")
      }
      start = .request(method: method, target: path)
      pseudo = PseudoFields(
        scheme: self.value(.scheme, in: raw),
        authority: self.value(.authority, in: raw),
        protocolName: self.value(.protocolName, in: raw)
      )
    }
    return MessageHead(start: start, version: .http2, fields: fields, raw: raw, pseudo: pseudo)
  }

  /// Ends a trailer section's block.
  mutating func trailers() throws(HTTPFailure) -> HeaderFields { try self.end().fields }

  private mutating func end() throws(HTTPFailure) -> (raw: Bytes, fields: HeaderFields) {
    if let failure = self.failure { throw failure }
    self.buffer.append(Octet.carriageReturn)
    self.buffer.append(Octet.lineFeed)
    let raw = Bytes(self.buffer)
    let fields = HeaderFields(buffer: raw, slots: self.slots)
    self.buffer = []
    self.slots = []
    return (raw, fields)
  }

  private func value(_ field: Pseudo, in raw: Bytes) -> Bytes? {
    self.pseudo[field.rawValue].map { raw.slice($0) }
  }

  private static func status(_ value: Bytes) -> Int? {
    guard value.count == 3, value.allSatisfy(ASCII.isDigit), value[0] != 0x30 else { return nil }
    return value.reduce(0) { $0 * 10 + Int($1 & 0x0F) }
  }
}
