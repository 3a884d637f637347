/// Reads TLS's presentation language (RFC 8446 §3): big-endian numbers and vectors with a length.
///
/// Every read says nil rather than go past the end.
struct WireReader {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// Reads `bytes` from `start` on.
  init(_ bytes: [UInt8], from start: Int) {
    self.bytes = bytes
    self.position = min(max(0, start), bytes.count)
    self.end = bytes.count
  }

  private init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    self.position = range.lowerBound
    self.end = range.upperBound
  }

  /// Whether everything has been read.
  var isAtEnd: Bool { self.position == self.end }

  /// What has not been read.
  var rest: ArraySlice<UInt8> { self.bytes[self.position..<self.end] }

  /// The next byte.
  mutating func byte() -> UInt8? {
    guard self.position < self.end else { return nil }
    defer { self.position += 1 }
    return self.bytes[self.position]
  }

  /// The next two bytes as a number.
  mutating func number() -> UInt16? {
    guard let high = self.byte(), let low = self.byte() else { return nil }
    return UInt16(high) << 8 | UInt16(low)
  }

  /// The next `count` bytes, as a reader of their own.
  mutating func take(_ count: Int) -> WireReader? {
    guard count >= 0, count <= self.end - self.position else { return nil }
    defer { self.position += count }
    return WireReader(self.bytes, self.position..<(self.position + count))
  }

  /// The next vector, whose length is written in one byte.
  mutating func shortVector() -> WireReader? {
    guard let count = self.byte() else { return nil }
    return self.take(Int(count))
  }

  /// The next vector, whose length is written in two bytes.
  mutating func vector() -> WireReader? {
    guard let count = self.number() else { return nil }
    return self.take(Int(count))
  }
}
