internal import TideCore

/// `wire/NNNNNN.bin`: what crossed a wire as it was, in records (docs/evidence-format.md, section 9).
///
/// All numbers are big-endian.
///
/// ```
///   file    "TIDEWIRE"  version: u32 = 1  segment: u32   record record …
///   record  kind: u8  connection: u64  time: i64  length: u32   length bytes
/// ```
enum WireFormat {
  /// What a record holds; other numbers are skipped by a reader that does not know them.
  enum Kind: UInt8 {
    /// A line of the device leg's key log, without its end.
    case keyLog = 1
    /// What came from the device's socket; nothing if that side has ended.
    case received = 2
    /// What went to the device's socket; nothing if that side has ended.
    case sent = 3
    /// What is missing: the kind that it would have been (u8, 0 of both), how many bytes (u64).
    case gap = 4

    /// The kind of a piece that goes this way.
    init(_ direction: Direction) {
      switch direction {
      case .request: self = .received
      case .response: self = .sent
      }
    }

    /// Which way a piece of that kind goes; nil if it is none.
    var direction: Direction? {
      switch self {
      case .received: .request
      case .sent: .response
      case .keyLog, .gap: nil
      }
    }
  }

  static let magic = Array("TIDEWIRE".utf8)
  static let version: UInt32 = 1
  static let headerSize = 16
  static let recordHeaderSize = 21
  /// The highest number of a file.
  static let mostSegments = 999_999_999
  /// The most bytes that a record holds.
  static let mostContent = 1 << 20
  /// The most bytes of a stream in one record, so that there is room for what encryption adds.
  static let mostPiece = mostContent - WireCipher.overhead

  static func path(of segment: Int, in root: String) -> String {
    root + "/" + self.relativePath(of: segment)
  }

  static func relativePath(of segment: Int) -> String {
    let digits = String(segment)
    return "wire/" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".bin"
  }

  /// The numbers of a case's segments, in order; names of another form are not ours.
  static func segments(in root: String) throws(EvidenceFailure) -> [Int] {
    try Folder.names(in: root + "/wire").compactMap { name in
      guard let number = Int(name.prefix { $0 != "." }), (1...self.mostSegments).contains(number),
        self.relativePath(of: number) == "wire/" + name
      else { return nil }
      return number
    }.sorted()
  }

  /// Writes what a file begins with.
  static func writeHeader(of segment: Int, into bytes: inout [UInt8]) {
    bytes.append(contentsOf: self.magic)
    self.write(self.version, into: &bytes)
    self.write(UInt32(clamping: segment), into: &bytes)
  }

  /// Writes a record.
  static func write(
    _ kind: Kind,
    _ content: Bytes,
    of connection: ConnectionID,
    at time: WallTime,
    into bytes: inout [UInt8]
  ) {
    bytes.append(addingCapacity: self.recordHeaderSize) { output in
      output.append(kind.rawValue)
      self.write(connection.number, into: &output)
      self.write(time.nanoseconds, into: &output)
      self.write(UInt32(clamping: content.count), into: &output)
    }
    bytes.append(contentsOf: content)
  }

  /// Writes a piece: a record, or several if it is too large for one.
  static func write(
    pieces kind: Kind,
    _ content: Bytes,
    of connection: ConnectionID,
    at time: WallTime,
    into bytes: inout [UInt8]
  ) {
    var rest = content
    while rest.count > self.mostPiece {
      self.write(kind, rest.slice(0..<self.mostPiece), of: connection, at: time, into: &bytes)
      rest = rest.dropping(first: self.mostPiece)
    }
    self.write(kind, rest, of: connection, at: time, into: &bytes)
  }

  /// Calls `body` with each of the records that `write` made, one after another.
  static func forEach<E: Error>(
    _ records: Bytes,
    _ body: (Kind, Bytes, ConnectionID, WallTime) throws(E) -> Void
  ) throws(E) {
    var rest = records
    while rest.count >= self.recordHeaderSize, let kind = Kind(rawValue: rest[0]) {
      func number(_ range: Range<Int>) -> UInt64 {
        rest.slice(range).reduce(0) { $0 << 8 | UInt64($1) }
      }
      let end = self.recordHeaderSize + Int(clamping: number(17..<self.recordHeaderSize))
      guard end <= rest.count else { return }
      try body(
        kind,
        rest.slice(self.recordHeaderSize..<end),
        ConnectionID(number(1..<9)),
        WallTime(nanoseconds: Int64(bitPattern: number(9..<17)))
      )
      rest = rest.dropping(first: end)
    }
  }

  /// What a record of a gap holds; `kind` is nil where it is not known of what.
  static func gap(_ count: UInt64, of kind: Kind?) -> Bytes {
    var bytes = [kind?.rawValue ?? 0]
    self.write(count, into: &bytes)
    return Bytes(bytes)
  }

  /// Reads what a record of a gap holds; the direction is nil where it is not known of what.
  static func gap(_ content: Bytes) -> (direction: Direction?, count: UInt64)? {
    guard content.count >= 9 else { return nil }
    let count = content.slice(1..<9).reduce(0) { $0 << 8 | UInt64($1) }
    switch Kind(rawValue: content[0]) {
    case .received: return (.request, count)
    case .sent: return (.response, count)
    case .keyLog, .gap, nil: return (nil, count)
    }
  }

  private static func write(
    _ number: some FixedWidthInteger,
    into output: inout OutputSpan<UInt8>
  ) {
    for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
      output.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  private static func write(_ number: some FixedWidthInteger, into bytes: inout [UInt8]) {
    for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}

/// A record as read.
struct WireRecord: Equatable {
  /// `WireFormat.Kind`'s number, or one that this version does not know.
  let kind: UInt8
  let connection: ConnectionID
  let time: WallTime
  let content: Bytes
}
