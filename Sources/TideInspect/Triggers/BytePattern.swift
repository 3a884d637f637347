import TideCore
import TideDecoding

/// A sequence of byte sets, compiled for searching.
///
/// Where the sequence has a place for one byte alone, that byte is looked for.
/// Elsewhere BNDM (Navarro and Raffinot, "Fast and flexible string matching by combining
/// bit-parallelism and suffix automata", 2000), which reads a window backwards and skips what cannot
/// be a part of the sequence. Where the bytes of a sequence have bits in common, as digits have, eight or four are
/// compared at once first: bytes that are no text are left behind without a guess that fails.
struct BytePattern: Sendable {
  /// A byte that is known exactly, and its place.
  private struct Anchor {
    let place: Int
    let byte: UInt8
  }

  /// What all bytes of an occurrence have in common.
  private struct Common {
    /// How many bytes are compared at once: 8, 4, or 0 for none.
    let width: Int
    /// The bits that are the same in all of them, for each byte of a word.
    let bits: UInt64
    /// What they are.
    let value: UInt64

    init(_ sequence: [ByteSet]) {
      let bytes = (0...UInt8.max).filter { byte in sequence.contains { $0.contains(byte) } }
      let ones = bytes.reduce(UInt8.max, &)
      let zeros = bytes.reduce(UInt8.max) { $0 & ~$1 }
      // A word that does not fit lets the window skip what it has besides, and one byte more.
      let width = ones | zeros == 0 ? 0 : sequence.count >= 12 ? 8 : sequence.count >= 6 ? 4 : 0
      let each: UInt64 = width == 8 ? 0x0101_0101_0101_0101 : 0x0101_0101
      self.width = width
      self.bits = each * UInt64(ones | zeros)
      self.value = each * UInt64(ones)
    }
  }

  /// How many bytes an occurrence has.
  let count: Int
  /// For each byte, the places that allow it: bit 0 is the first place.
  private let places: [UInt32]
  private let anchor: Anchor?
  private let common: Common
  /// Sets of classes of bytes, of each of which an occurrence has one at least.
  private let classes: [ByteClasses]

  init(_ sequence: [ByteSet]) {
    self.count = sequence.count
    self.places = (0...UInt8.max).map { byte in
      sequence.indices.reduce(0) { sequence[$1].contains(byte) ? $0 | 1 << UInt32($1) : $0 }
    }
    self.anchor = Self.anchor(of: sequence)
    self.common = Common(sequence)
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
    let common = self.common
    let words = UnsafeRawBufferPointer(bytes)
    var start = max(0, position)
    while start + count <= bytes.count {
      // The window's last bytes: if one of them is no part of the sequence, nothing fits that covers it, and it may be
      // the first of them.
      let end = start + count
      let word: UInt64
      switch common.width {
      case 8: word = unsafe words.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self)
      case 4: word = UInt64(unsafe words.loadUnaligned(fromByteOffset: end - 4, as: UInt32.self))
      default: word = common.value
      }
      if word & common.bits != common.value {
        start += count - common.width + 1
        continue
      }
      // Bit i: what was read, from the window's end backwards, fits from place i on.
      var fits = unsafe places[Int(bytes[end - 1])]
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

  private static func anchor(of sequence: [ByteSet]) -> Anchor? {
    for (place, set) in sequence.enumerated() {
      if let byte = set.onlyByte { return Anchor(place: place, byte: byte) }
    }
    return nil
  }
}
