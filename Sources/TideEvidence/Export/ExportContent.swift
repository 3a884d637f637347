internal import TideCoding
internal import TideCore

/// A content as an exporter writes it: read piece by piece, as often as it asks.
struct ExportContent {
  /// The most decoded bytes of one content that go into a HAR: in base64 it is a string that V8, whose
  /// strings end at 512 MiB, can still read.
  static let longest = 256 << 20
  /// Contents up to this many bytes are kept between two readings.
  private static let keptSize = 1 << 20

  let reader: CaseReader
  private let source: Source

  private enum Source {
    case none
    case bytes(Bytes)
    case stored(FlowDetail.BodyReference, [ContentCoding])
  }

  /// What a first reading told.
  enum Survey {
    case empty
    /// How many bytes, whether they are UTF-8 without NUL, and the bytes themselves if they are few.
    case readable(count: Int, isText: Bool, kept: Bytes?)
    case tooLarge
    /// The case does not have it, or has it damaged.
    case missing
  }

  /// A message's content without its content codings, as far as it decodes.
  init(decoding body: FlowDetail.BodyReference?, coding: String?, _ reader: CaseReader) {
    self.reader = reader
    guard let body, body.size > 0 else {
      self.source = .none
      return
    }
    self.source = .stored(body, coding.flatMap { ContentCoding.chain(Bytes($0)) } ?? [])
  }

  /// A content as it was on the wire.
  init(_ body: FlowDetail.BodyReference?, _ reader: CaseReader) {
    self.init(decoding: body, coding: nil, reader)
  }

  /// A content that stands in place of one of the case's.
  init(_ bytes: Bytes, _ reader: CaseReader) {
    self.reader = reader
    self.source = bytes.isEmpty ? .none : .bytes(bytes)
  }

  /// Reads it through once.
  func survey(limit: Int = Self.longest) throws(EvidenceFailure) -> Survey {
    var count = 0
    var check = TextCheck()
    var kept: [UInt8]? = []
    do throws(EvidenceFailure) {
      try self.forEachPiece { piece throws(EvidenceFailure) in
        count += piece.count
        guard count <= limit else { throw EvidenceFailure(.full, detail: "") }
        check.take(piece)
        if count <= Self.keptSize { kept?.append(contentsOf: piece) } else { kept = nil }
      }
    } catch {
      switch error.code {
      case .full: return .tooLarge
      case .notFound, .malformed: return .missing
      default: throw error
      }
    }
    if count == 0 { return .empty }
    return .readable(count: count, isText: check.isText, kept: kept.map { Bytes($0) })
  }

  /// Calls `body` with each piece.
  ///
  /// What does not decode at all is given as it is; what was cut, up to the cut.
  ///
  /// - Throws: `notFound`, or `malformed` if what the case has is damaged.
  func forEachPiece(
    _ body: (Bytes) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    switch self.source {
    case .none: return
    case .bytes(let bytes): try body(bytes)
    case .stored(let reference, let codings):
      if codings.isEmpty {
        try self.reader.forEachPiece(ofBody: reference.sha256, body)
      } else if try !self.decode(reference, codings, body) {
        try self.reader.forEachPiece(ofBody: reference.sha256, body)
      }
    }
  }

  /// Gives the decoded pieces; false if there are none.
  private func decode(
    _ reference: FlowDetail.BodyReference,
    _ codings: [ContentCoding],
    _ body: (Bytes) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) -> Bool {
    // One byte more than is ever written: `survey` then calls it too large.
    var decoder = ContentDecoder(
      codings,
      limits: DecodingLimits(decodedBytes: Self.longest + 1, ratio: 1_000)
    )
    var isAny = false
    var isCut = false
    try self.reader.forEachPiece(ofBody: reference.sha256) { piece throws(EvidenceFailure) in
      guard !isCut else { return }
      var decoded: [Bytes] = []
      do throws(CodingFailure) {
        try decoder.decode(piece, &decoded)
      } catch {
        isCut = true
      }
      for piece in decoded where !piece.isEmpty {
        isAny = true
        try body(piece)
      }
    }
    return isAny
  }
}

/// Tells piece by piece whether bytes are UTF-8 without NUL.
struct TextCheck {
  private var isValid = true
  private var rest: [UInt8] = []

  var isText: Bool { self.isValid && self.rest.isEmpty }

  mutating func take(_ piece: Bytes) {
    guard self.isValid else { return }
    guard !piece.contains(0) else {
      self.isValid = false
      return
    }
    var bytes = self.rest
    bytes.append(contentsOf: piece)
    let whole = bytes.count - Self.unfinished(bytes)
    // The error would say where, which nobody asks.
    self.isValid = (try? UTF8Span(validating: bytes.span.extracting(0..<whole))) != nil
    self.rest = Array(bytes[whole...])
  }

  /// How many bytes at the end begin a scalar that goes on.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}
