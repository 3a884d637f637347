import TideCore

/// What an ICAP server answered, whole.
struct ICAPResponse {
  /// 100, 200, 204, or what it has to complain of.
  var status: Int
  /// Its fields.
  var fields: HeaderFields
  /// The head of the HTTP message in it; nil if there is none.
  var head: MessageHead?
  /// That message's content.
  var content = Bytes()
}

/// Reads one ICAP response from bytes as they come (RFC 3507 §4.3); `100 Continue` is one of its own.
///
/// Hostile input costs no more than its bounds: a head of at most `headLimit` bytes, an encapsulated one
/// of as many, content of at most `contentLimit`.
struct ICAPParser {
  /// How far it is.
  private enum State {
    case head
    /// An encapsulated head of so many bytes, then perhaps content.
    case encapsulated(length: Int, hasContent: Bool)
    case chunkSize
    case chunk(left: Int)
    /// The line end after a chunk.
    case chunkEnd
    case trailer
    case over
  }

  /// The most bytes of a head.
  static let headLimit = 64 << 10
  /// The most bytes of a chunk's size line with its extensions.
  private static let lineLimit = 1 << 10

  private let contentLimit: Int
  private var state = State.head
  private var buffer: [UInt8] = []
  /// How much of `buffer` is used up.
  private var position = 0
  private var response = ICAPResponse(status: 0, fields: HeaderFields())
  private var content: [UInt8] = []
  private var trailerBytes = 0

  init(contentLimit: Int) { self.contentLimit = contentLimit }

  /// Whether nothing has come since the last response.
  var isIdle: Bool {
    guard case .head = self.state else { return false }
    return self.position == self.buffer.count
  }

  /// Takes bytes; the response, once it is whole.
  ///
  /// - Throws: `malformed` or `overLimit`; the connection is of no more use.
  mutating func receive(_ bytes: Bytes) throws(ScanFailure) -> ICAPResponse? {
    self.buffer += bytes.array
    while try self.step() {}
    self.compact()
    guard case .over = self.state else { return nil }
    self.response.content = Bytes(self.content)
    self.content = []
    self.state = .head
    defer { self.response = ICAPResponse(status: 0, fields: HeaderFields()) }
    return self.response
  }

  private mutating func compact() {
    self.buffer.removeFirst(self.position)
    self.position = 0
  }

  private var available: Int { self.buffer.count - self.position }

  /// Goes on by one element; whether there was one.
  private mutating func step() throws(ScanFailure) -> Bool {
    switch self.state {
    case .head: return try self.readHead()
    case .encapsulated(let length, let hasContent):
      guard self.available >= length else { return false }
      let end = self.position + length
      if length > 0 {
        self.response.head = try FieldLines.httpHead(self.buffer[self.position..<end])
      }
      self.position = end
      self.state = hasContent ? .chunkSize : .over
      return hasContent
    case .chunkSize: return try self.readChunkSize()
    case .chunk(let left):
      let count = min(left, self.available)
      guard count > 0 else { return false }
      self.content += self.buffer[self.position..<(self.position + count)]
      self.position += count
      self.state = count == left ? .chunkEnd : .chunk(left: left - count)
      return true
    case .chunkEnd:
      guard self.available >= 2 else { return false }
      guard self.buffer[self.position] == 0x0D, self.buffer[self.position + 1] == 0x0A else {
        throw ScanFailure(.malformed, "a chunk without its end")
      }
      self.position += 2
      self.state = .chunkSize
      return true
    case .trailer:
      guard let line = try self.line() else { return false }
      self.trailerBytes += line.count
      guard self.trailerBytes <= Self.headLimit else {
        throw ScanFailure(.overLimit, "a trailer of more than \(Self.headLimit) bytes")
      }
      guard line.isEmpty else { return true }
      self.state = .over
      return false
    case .over: return false
    }
  }

  private mutating func readHead() throws(ScanFailure) -> Bool {
    guard let end = FieldLines.end(in: self.buffer, from: self.position) else {
      guard self.available <= Self.headLimit else {
        throw ScanFailure(.overLimit, "a head of more than \(Self.headLimit) bytes")
      }
      return false
    }
    guard end - self.position <= Self.headLimit else {
      throw ScanFailure(.overLimit, "a head of more than \(Self.headLimit) bytes")
    }
    let lines = try FieldLines.lines(of: self.buffer[self.position..<end])
    self.position = end
    guard let first = lines.first else { throw ScanFailure(.malformed, "an empty head") }
    let words = first.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
    guard words.count >= 2, words[0].elementsEqual("ICAP/1.0".utf8),
      let status = FieldLines.status(words[1])
    else { throw ScanFailure(.malformed, "no ICAP answer: \"\(ScanFailure.quoted(first))\"") }
    self.response.status = status
    self.response.fields = try FieldLines.fields(lines.dropFirst())
    self.trailerBytes = 0
    let parts = try Encapsulation(self.response.fields)
    self.state = .encapsulated(length: parts.headLength, hasContent: parts.hasContent)
    return true
  }

  private mutating func readChunkSize() throws(ScanFailure) -> Bool {
    guard let line = try self.line() else { return false }
    let digits = line.prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }
    guard !digits.isEmpty, digits.count <= 8 else {
      throw ScanFailure(.malformed, "no chunk size: \"\(ScanFailure.quoted(line))\"")
    }
    var size = 0
    for digit in digits {
      guard let value = ASCII.hexValue(digit) else {
        throw ScanFailure(.malformed, "no chunk size: \"\(ScanFailure.quoted(line))\"")
      }
      size = size << 4 | Int(value)
    }
    guard size > 0 else {
      self.state = .trailer
      return true
    }
    guard size <= self.contentLimit - self.content.count else {
      throw ScanFailure(.overLimit, "content of more than \(self.contentLimit) bytes")
    }
    self.state = .chunk(left: size)
    return true
  }

  /// The next line without its end; nil if it is not all there.
  private mutating func line() throws(ScanFailure) -> ArraySlice<UInt8>? {
    let rest = self.buffer[self.position...]
    guard let feed = rest.prefix(Self.lineLimit).firstIndex(of: 0x0A) else {
      guard rest.count < Self.lineLimit else {
        throw ScanFailure(.overLimit, "a line of more than \(Self.lineLimit) bytes")
      }
      return nil
    }
    guard feed > self.position, self.buffer[feed - 1] == 0x0D else {
      throw ScanFailure(.malformed, "a bare line feed")
    }
    self.position = feed + 1
    return self.buffer[rest.startIndex..<(feed - 1)]
  }
}

/// What `Encapsulated` says (RFC 3507 §4.4.1): one HTTP head at most, then content or none.
struct Encapsulation {
  /// How many bytes the head has.
  let headLength: Int
  /// Whether chunks follow.
  let hasContent: Bool

  /// Reads the field; without one nothing is encapsulated.
  ///
  /// - Throws: `malformed` for lists that no answer of ours can have, and for heads over the limit.
  init(_ fields: HeaderFields) throws(ScanFailure) {
    guard let value = fields.first("encapsulated") else {
      self.headLength = 0
      self.hasContent = false
      return
    }
    var last: (name: String, offset: Int)?
    var heads = 0
    for element in value.split(separator: 0x2C) {
      let pair = element.filter { $0 != 0x20 && $0 != 0x09 }.split(separator: 0x3D)
      guard pair.count == 2, pair[1].count <= 7,
        let offset = Int(String(decoding: pair[1], as: UTF8.self)), offset >= last?.offset ?? 0,
        last != nil || offset == 0
      else { throw Self.failure(value) }
      let name = String(decoding: pair[0].map(ASCII.lowercased), as: UTF8.self)
      switch name {
      case "req-hdr", "res-hdr":
        guard heads == 0, last == nil else { throw Self.failure(value) }
        heads = 1
      case "req-body", "res-body", "opt-body", "null-body":
        guard last == nil || last?.name.hasSuffix("-hdr") == true else { throw Self.failure(value) }
      default: throw Self.failure(value)
      }
      last = (name, offset)
    }
    guard let last, last.name.hasSuffix("-body"), last.offset <= ICAPParser.headLimit,
      (heads == 0) == (last.offset == 0)
    else { throw Self.failure(value) }
    self.headLength = last.offset
    self.hasContent = last.name != "null-body"
  }

  private static func failure(_ value: Bytes) -> ScanFailure {
    ScanFailure(.malformed, "Encapsulated: \(ScanFailure.quoted(value))")
  }
}
