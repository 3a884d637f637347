import TideCore
import TideDecoding

/// A sequence of byte sets, compiled for searching.
///
/// Where the sequence has a place for one byte alone, that byte is looked for.
/// Elsewhere BNDM (Navarro and Raffinot, "Fast and flexible string matching by combining
/// bit-parallelism and suffix automata", 2000), which reads a window backwards and skips what cannot
/// be a part of the sequence. Where the bytes of a long sequence have bits in common, as digits have, eight are
/// compared at once first: bytes that are no text are left behind without a guess that fails.
struct BytePattern: Sendable {
  /// A byte that is known exactly, and its place.
  private struct Anchor {
    let place: Int
    let byte: UInt8
  }

  /// Shorter sequences are not looked for by words: a word that does not fit would skip little.
  private static let fewestInWords = 12

  /// How many bytes an occurrence has.
  let count: Int
  /// For each byte, the places that allow it: bit 0 is the first place.
  private let places: [UInt32]
  private let anchor: Anchor?
  /// The bits that all bytes of an occurrence have in common, eight times, and what they are; no bits of a short one.
  private let common: (bits: UInt64, value: UInt64)
  /// Sets of classes of bytes, of each of which an occurrence has one at least.
  private let classes: [ByteClasses]

  init(_ sequence: [ByteSet]) {
    self.count = sequence.count
    self.places = (0...UInt8.max).map { byte in
      sequence.indices.reduce(0) { sequence[$1].contains(byte) ? $0 | 1 << UInt32($1) : $0 }
    }
    self.anchor = Self.anchor(of: sequence)
    self.common = sequence.count < Self.fewestInWords ? (0, 0) : Self.common(of: sequence)
    let classes = Set(sequence.map { Self.classes(of: $0).rawValue })
    self.classes = classes.sorted().map { ByteClasses(rawValue: $0) }
  }

  /// Whether a run of this shape may have an occurrence; a glance.
  func isPossible(_ shape: Shape) -> Bool {
    guard shape.count >= self.count else { return false }
    // Of longer runs the shape has not seen all bytes.
    guard shape.isWhole else { return true }
    for classes in self.classes where shape.classes.isDisjoint(with: classes) { return false }
    return true
  }

  private static func classes(of set: ByteSet) -> ByteClasses {
    Shape(Bytes((0...UInt8.max).filter { set.contains($0) })).classes
  }

  /// The first occurrence in `span` that begins at or after `position`.
  func first(in span: Span<UInt8>, from position: Int) -> Int? {
    if let anchor = self.anchor { return self.first(in: span, from: position, anchor) }
    return unsafe span.withUnsafeBufferPointer { bytes in
      unsafe self.places.withUnsafeBufferPointer {
        unsafe self.first(in: $0, bytes, from: position)
      }
    }
  }

  /// BNDM, without a bounds check for each of millions of bytes: a window ends within `bytes`, and `places` has an
  /// entry for each value of a byte.
  private func first(
    in places: UnsafeBufferPointer<UInt32>,
    _ bytes: UnsafeBufferPointer<UInt8>,
    from position: Int
  ) -> Int? {
    let count = self.count
    let (bits, value) = self.common
    let words = UnsafeRawBufferPointer(bytes)
    var start = max(0, position)
    while start + count <= bytes.count {
      // The window's last eight bytes: if one of them is no part of the sequence, nothing fits that covers it, and it
      // may be the first of them.
      if bits != 0,
        unsafe words.loadUnaligned(fromByteOffset: start + count - 8, as: UInt64.self) & bits
          != value
      {
        start += count - 7
        continue
      }
      // Bit i: what was read, from the window's end backwards, fits from place i on.
      var fits = unsafe places[Int(bytes[start + count - 1])]
      // Most often the window's last byte has no place in it: nothing that covers that byte fits.
      guard fits != 0 else {
        start += count
        continue
      }
      var offset = count - 1
      var skip = count
      while true {
        // It fits the sequence's beginning: the window must not skip it.
        if fits & 1 != 0 {
          if offset == 0 { return start }
          skip = offset
        }
        guard offset > 0 else { break }
        offset -= 1
        fits = unsafe fits >> 1 & places[Int(bytes[start + offset])]
        if fits == 0 { break }
      }
      start += skip
    }
    return nil
  }

  private func first(in span: Span<UInt8>, from position: Int, _ anchor: Anchor) -> Int? {
    var place = position + anchor.place
    let end = span.count - self.count + anchor.place + 1
    while let found = span.firstIndex(of: anchor.byte, in: (place, end)) {
      if self.isAt(found - anchor.place, span) { return found - anchor.place }
      place = found + 1
    }
    return nil
  }

  private func isAt(_ start: Int, _ span: Span<UInt8>) -> Bool {
    for place in 0..<self.count
    where self.places[Int(span[start + place])] & 1 << UInt32(place) == 0 {
      return false
    }
    return true
  }

  private static func common(of sequence: [ByteSet]) -> (bits: UInt64, value: UInt64) {
    let bytes = (0...UInt8.max).filter { byte in sequence.contains { $0.contains(byte) } }
    let ones = bytes.reduce(UInt8.max, &)
    let zeros = bytes.reduce(UInt8.max) { $0 & ~$1 }
    let each: UInt64 = 0x0101_0101_0101_0101
    return (each * UInt64(ones | zeros), each * UInt64(ones))
  }

  private static func anchor(of sequence: [ByteSet]) -> Anchor? {
    for (place, set) in sequence.enumerated() {
      if let byte = set.onlyByte { return Anchor(place: place, byte: byte) }
    }
    return nil
  }
}
