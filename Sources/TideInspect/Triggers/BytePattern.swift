import TideCore
import TideDecoding

/// A sequence of byte sets, compiled for searching.
///
/// Where the sequence has a place for one byte alone, that byte is looked for.
/// Elsewhere BNDM (Navarro and Raffinot, "Fast and flexible string matching by combining
/// bit-parallelism and suffix automata", 2000), which reads a window backwards and skips what cannot
/// be a part of the sequence: most often, of fifteen digits it reads one.
struct BytePattern: Sendable {
  /// A byte that is known exactly, and its place.
  private struct Anchor {
    let place: Int
    let byte: UInt8
  }

  /// How many bytes an occurrence has.
  let count: Int
  /// For each byte, the places that allow it: bit 0 is the first place.
  private let places: [UInt32]
  private let anchor: Anchor?
  /// Sets of classes of bytes, of each of which an occurrence has one at least.
  private let classes: [ByteClasses]

  init(_ sequence: [ByteSet]) {
    self.count = sequence.count
    self.places = (0...UInt8.max).map { byte in
      sequence.indices.reduce(0) { sequence[$1].contains(byte) ? $0 | 1 << UInt32($1) : $0 }
    }
    self.anchor = Self.anchor(of: sequence)
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
    var start = max(0, position)
    while start + count <= bytes.count {
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

  private static func anchor(of sequence: [ByteSet]) -> Anchor? {
    for (place, set) in sequence.enumerated() {
      if let byte = set.onlyByte { return Anchor(place: place, byte: byte) }
    }
    return nil
  }
}
