public import TideCore

/// Checks that bytes which come in pieces are UTF-8 (RFC 3629 §4), cut anywhere.
///
/// Neither overlong forms nor surrogates nor anything above U+10FFFF is accepted.
public struct UTF8Validator: Sendable {
  /// Continuation bytes that the character begun still lacks.
  private var missing = 0
  /// The least that the next of them may be: the second byte of some characters is restricted.
  private var lowest: UInt8 = 0x80
  /// The most that the next of them may be.
  private var highest: UInt8 = 0xBF
  private var hasFailed = false

  /// Makes a validator of one text.
  public init() {}

  /// Whether everything so far is whole characters.
  public var isComplete: Bool { self.missing == 0 && !self.hasFailed }

  /// Whether everything so far can be the beginning of a text; once false it stays false.
  public mutating func accepts(_ bytes: Bytes) -> Bool {
    guard !self.hasFailed else { return false }
    self.hasFailed = !bytes.withSpan { self.reads($0) }
    return !self.hasFailed
  }

  private mutating func reads(_ span: Span<UInt8>) -> Bool {
    var at = 0
    while at < span.count {
      if self.missing == 0 {
        at = span.endOfASCII(from: at)
        guard at < span.count else { return true }
        guard self.begin(span[at]) else { return false }
      } else {
        guard span[at] >= self.lowest, span[at] <= self.highest else { return false }
        self.missing &-= 1
        self.lowest = 0x80
        self.highest = 0xBF
      }
      at &+= 1
    }
    return true
  }

  /// Begins a character of more than one byte by its first.
  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xC2...0xDF: self.missing = 1
    case 0xE0...0xEF:
      self.missing = 2
      if byte == 0xE0 { self.lowest = 0xA0 }
      if byte == 0xED { self.highest = 0x9F }
    case 0xF0...0xF4:
      self.missing = 3
      if byte == 0xF0 { self.lowest = 0x90 }
      if byte == 0xF4 { self.highest = 0x8F }
    default: return false
    }
    return true
  }
}

extension Span<UInt8> {
  /// The position of the first byte from `start` on that is not ASCII.
  @inline(__always)
  fileprivate func endOfASCII(from start: Int) -> Int {
    // Unsafe in name only: each load checks its bounds, and any eight bytes are a number.
    let bytes = unsafe self.bytes
    var at = start
    while at &+ 8 <= self.count {
      let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
      if word & 0x8080_8080_8080_8080 != 0 { break }
      at &+= 8
    }
    while at < self.count, self[at] < 0x80 { at &+= 1 }
    return at
  }
}
