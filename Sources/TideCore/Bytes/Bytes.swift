/// A shared, immutable-by-value run of bytes: what travels between every part of the proxy.
///
/// A slice keeps its parent's storage alive and copies nothing. Positions are always counted from 0.
public struct Bytes: Sendable {
  @usableFromInline var storage: [UInt8]
  @usableFromInline var start: Int
  @usableFromInline var end: Int

  /// Makes an empty run; it allocates nothing.
  @inlinable
  public init() { self.init([]) }

  /// Takes over an array without copying it.
  @inlinable
  public init(_ array: [UInt8]) {
    self.storage = array
    self.start = 0
    self.end = array.count
  }

  /// Copies the UTF-8 of `text`.
  public init(_ text: String) { self.init(Array(text.utf8)) }

  /// Copies `buffer`.
  @inlinable
  public init(copying buffer: UnsafeRawBufferPointer) {
    unsafe self.init(capacity: buffer.count) { target in
      unsafe target.copyMemory(from: buffer)
      return buffer.count
    }
  }

  /// Makes a run that `fill` writes in place.
  ///
  /// - Parameters:
  ///   - capacity: the room, in bytes, that `fill` is given.
  ///   - fill: writes from the start of the room and returns how many bytes it wrote.
  /// - Throws: what `fill` throws.
  @inlinable
  public init<E: Error>(
    capacity: Int,
    fill: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) {
    var failure: E?
    let array = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
      do throws(E) {
        count = try unsafe fill(UnsafeMutableRawBufferPointer(room))
      } catch {
        failure = error
        count = 0
      }
    }
    if let failure { throw failure }
    self.init(array)
  }

  /// The number of bytes.
  @inlinable
  public var count: Int { self.end - self.start }

  /// Whether there are no bytes.
  @inlinable
  public var isEmpty: Bool { self.end == self.start }

  /// The part at `range`, counted from this run's start, sharing the storage.
  @inlinable
  public func slice(_ range: Range<Int>) -> Bytes {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= self.count,
      "a slice lies within its bytes"
    )
    var part = self
    part.start = self.start + range.lowerBound
    part.end = self.start + range.upperBound
    return part
  }

  /// All but the first `count` bytes, sharing the storage.
  @inlinable
  public func dropping(first count: Int) -> Bytes { self.slice(count..<self.count) }

  /// Calls `body` with the bytes as a bounds-checked span.
  @inlinable
  @inline(__always)
  public func withSpan<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try body(self.storage.span.extracting(self.start..<self.end))
  }

  /// Calls `body` with the bytes in place, for C.
  @inlinable
  @inline(__always)
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try unsafe self.storage.withUnsafeBytes { whole in
      try unsafe body(UnsafeRawBufferPointer(rebasing: whole[self.start..<self.end]))
    }
  }

  /// Adds the bytes of `other` at the end; copies both if the storage is shared.
  public mutating func append(_ other: Bytes) {
    if other.isEmpty { return }
    if self.isEmpty {
      self = other
      return
    }
    self.trimStorage()
    self.storage.append(contentsOf: other.storage[other.start..<other.end])
    self.end = self.storage.count
  }

  /// Makes room for `capacity` bytes, so that what is added up to there is copied once and no more.
  public mutating func reserve(_ capacity: Int) {
    guard capacity > self.count else { return }
    self.trimStorage()
    self.storage.reserveCapacity(capacity)
  }

  /// Has no storage but for these bytes: a slice gets its own.
  private mutating func trimStorage() {
    guard self.start != 0 || self.end != self.storage.count else { return }
    self.storage = Array(self.storage[self.start..<self.end])
    self.start = 0
    self.end = self.storage.count
  }

  /// The bytes as a new array.
  public var array: [UInt8] {
    self.start == 0 && self.end == self.storage.count
      ? self.storage : Array(self.storage[self.start..<self.end])
  }

  /// The bytes read as UTF-8, with each ill-formed sequence replaced by U+FFFD.
  public var text: String { String(decoding: self.storage[self.start..<self.end], as: UTF8.self) }
}

extension Bytes: RandomAccessCollection {
  /// The position of the first byte: always 0.
  @inlinable
  public var startIndex: Int { 0 }
  /// The position past the last byte: always `count`.
  @inlinable
  public var endIndex: Int { self.count }

  /// The byte at `position`, counted from 0.
  @inlinable
  @inline(__always)
  public subscript(position: Int) -> UInt8 {
    precondition(position >= 0 && position < self.count, "a position lies within its bytes")
    return self.storage[self.start + position]
  }

  /// Calls `body` with the bytes in place, which makes generic algorithms fast.
  public func withContiguousStorageIfAvailable<R>(
    _ body: (UnsafeBufferPointer<UInt8>) throws -> R
  ) rethrows -> R? {
    try unsafe self.storage.withUnsafeBufferPointer { whole in
      try unsafe body(UnsafeBufferPointer(rebasing: whole[self.start..<self.end]))
    }
  }
}

extension Bytes: Hashable {
  /// Compares byte by byte.
  public static func == (a: Bytes, b: Bytes) -> Bool {
    guard a.count == b.count else { return false }
    return unsafe a.withUnsafeBytes { a in
      unsafe b.withUnsafeBytes { b in
        var place = 0
        while place + 8 <= a.count {
          // In range: there are eight bytes more in both.
          let one = unsafe a.loadUnaligned(fromByteOffset: place, as: UInt64.self)
          let other = unsafe b.loadUnaligned(fromByteOffset: place, as: UInt64.self)
          if one != other { return false }
          place += 8
        }
        while place < a.count {
          if unsafe a[place] != b[place] { return false }
          place += 1
        }
        return true
      }
    }
  }

  /// Hashes the bytes, not the storage.
  public func hash(into hasher: inout Hasher) {
    unsafe self.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}

extension Bytes {
  /// Whether these are the bytes of `text`; what `==` says of a literal, without making `Bytes` of it.
  public func equals(_ text: StaticString) -> Bool {
    guard self.count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { text in
      unsafe self.withUnsafeBytes { unsafe $0.elementsEqual(text) }
    }
  }
}

extension Bytes: ExpressibleByStringLiteral {
  /// Makes the UTF-8 of a literal.
  public init(stringLiteral value: String) { self.init(value) }
}

extension Bytes: CustomStringConvertible {
  /// The bytes as text, for logs of our own values and for tests; never for payload.
  public var description: String { self.text }
}
