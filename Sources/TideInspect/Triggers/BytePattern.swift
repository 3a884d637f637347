import TideCore
import TideDecoding

/// Sequences of byte sets, compiled for being searched for together.
///
/// Where they have a place for one byte alone, or all at the same place one of two, those bytes are looked for.
/// Elsewhere what fits any of them up to the shortest's end is, by BNDM (Navarro and Raffinot, "Fast and flexible
/// string matching by combining bit-parallelism and suffix automata", 2000), which reads a window backwards and skips
/// what cannot be a part of it. Where the bytes of the sequences have bits in common, as digits have, words of them are
/// compared at once first: bytes that are no text are left behind without a guess that fails.
struct BytePattern: Sendable {
  /// Bytes of which one is at `place` of every occurrence; twice the same if there is only one.
  private struct Anchor {
    let place: Int
    let bytes: (UInt8, UInt8)
  }

  /// How many bytes are compared at once with what all bytes of an occurrence have in common.
  private enum Words {
    /// There is nothing in common, or too little room for a word.
    case none
    /// The window's last four, and the four after them.
    case fours(bits: UInt64, value: UInt64)
    /// The window's last eight.
    case eight(bits: UInt64, value: UInt64)
  }

  /// In a window of so many bytes two words of four, one after the other, leave no gap.
  private static let fewestForFours = 7
  /// In a shorter one a word of eight would skip little.
  private static let fewestForEight = 12

  /// How many bytes an occurrence has, at least.
  let count: Int
  private let sequences: [ByteSequence]
  /// For each byte, the places of any of the sequences that allow it: bit 0 is the first place.
  private let places: [UInt32]
  private let anchor: Anchor?
  private let words: Words

  /// Compiles sequences, of which there is one at least.
  init(anyOf sequences: [[ByteSet]]) {
    let count = sequences.map(\.count).min() ?? 0
    let union = (0..<count).map { place in
      sequences.dropFirst().reduce(sequences[0][place]) { $0.union($1[place]) }
    }
    self.count = count
    self.sequences = sequences.map { ByteSequence($0) }
    self.places = ByteSequence.places(union)
    self.anchor = Self.anchor(of: sequences, count)
    self.words = Self.words(union)
  }

  /// Whether a run of this shape may have an occurrence; a glance.
  func isPossible(_ shape: Shape) -> Bool {
    guard shape.count >= self.count else { return false }
    // Of longer runs the shape has not seen all bytes.
    guard shape.isWhole else { return true }
    for index in self.sequences.indices
    where self.sequences[index].isPossible(shape.classes) {
      return true
    }
    return false
  }

  /// The first occurrence in `span` that begins at or after `position`.
  func first(in span: Span<UInt8>, from position: Int) -> Int? {
    if let anchor = self.anchor { return self.first(in: span, from: position, anchor) }
    var position = max(0, position)
    while true {
      let found = unsafe span.withUnsafeBufferPointer { bytes in
        unsafe self.places.withUnsafeBufferPointer {
          unsafe self.first(in: $0, bytes, from: position)
        }
      }
      // What fits one sequence alone is an occurrence.
      guard let found, self.sequences.count > 1, !self.isAt(found, span) else { return found }
      position = found + 1
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
    let text = UnsafeRawBufferPointer(bytes)
    var start = position
    while true {
      start = unsafe self.skip(text, from: start)
      guard start + count <= bytes.count else { return nil }
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
  }

  /// The first place from `start` on, by words, at which an occurrence may begin.
  ///
  /// If one of a word's bytes has no place in any sequence, nothing fits that covers it, and it may be the first of them.
  /// Sums cannot overflow: they are places in `text`, and a little more.
  private func skip(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
    switch self.words {
    case .none: return start
    case .eight(let bits, let value):
      var place = start &+ self.count &- 8
      let step = self.count &- 7
      while place &+ 8 <= text.count {
        let word = unsafe text.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        if word & bits == value { break }
        place &+= step
      }
      return place &+ 8 &- self.count
    case .fours(let bits, let value):
      var place = start &+ self.count &- 4
      let step = self.count &+ 1
      while place &+ 8 <= text.count {
        let word = unsafe text.loadUnaligned(fromByteOffset: place, as: UInt64.self) & bits ^ value
        // Little-endian: the lower half is the window's.
        if word & 0xFFFF_FFFF == 0 { break }
        if word >> 32 == 0 { return place &+ 1 }
        place &+= step
      }
      return place &+ 4 &- self.count
    }
  }

  private func first(in span: Span<UInt8>, from position: Int, _ anchor: Anchor) -> Int? {
    var place = position + anchor.place
    let end = span.count - self.count + anchor.place + 1
    while let found = span.firstIndex(of: anchor.bytes, in: (place, end)) {
      if self.isAt(found - anchor.place, span) { return found - anchor.place }
      place = found + 1
    }
    return nil
  }

  private func isAt(_ start: Int, _ span: Span<UInt8>) -> Bool {
    for index in self.sequences.indices where self.sequences[index].isAt(start, span) {
      return true
    }
    return false
  }

  private static func words(_ union: [ByteSet]) -> Words {
    let bytes = (0...UInt8.max).filter { byte in union.contains { $0.contains(byte) } }
    let ones = bytes.reduce(UInt8.max, &)
    let zeros = bytes.reduce(UInt8.max) { $0 & ~$1 }
    guard union.count >= Self.fewestForFours, ones | zeros != 0 else { return .none }
    let each: UInt64 = 0x0101_0101_0101_0101
    let (bits, value) = (each * UInt64(ones | zeros), each * UInt64(ones))
    return union.count < Self.fewestForEight
      ? .fours(bits: bits, value: value) : .eight(bits: bits, value: value)
  }

  private static func anchor(of sequences: [[ByteSet]], _ count: Int) -> Anchor? {
    for place in 0..<count {
      let bytes = sequences.map { $0[place].onlyByte }
      let known = Set(bytes.compactMap { $0 }).sorted()
      guard !bytes.contains(nil), let first = known.first, known.count <= 2 else { continue }
      return Anchor(place: place, bytes: (first, known.last ?? first))
    }
    return nil
  }
}

/// One of a pattern's sequences.
private struct ByteSequence: Sendable {
  private let count: Int
  /// For each byte, the places that allow it: bit 0 is the first place.
  private let places: [UInt32]
  /// Sets of classes of bytes, of each of which an occurrence has one at least.
  private let classes: [ByteClasses]

  init(_ sequence: [ByteSet]) {
    self.count = sequence.count
    self.places = Self.places(sequence)
    let classes = Set(sequence.map { Self.classes(of: $0).rawValue })
    self.classes = classes.sorted().map { ByteClasses(rawValue: $0) }
  }

  /// For each byte, the places that allow it.
  static func places(_ sequence: [ByteSet]) -> [UInt32] {
    (0...UInt8.max).map { byte in
      sequence.indices.reduce(0) { sequence[$1].contains(byte) ? $0 | 1 << UInt32($1) : $0 }
    }
  }

  private static func classes(of set: ByteSet) -> ByteClasses {
    Shape(Bytes((0...UInt8.max).filter { set.contains($0) })).classes
  }

  /// Whether it may be among bytes of these classes.
  func isPossible(_ present: ByteClasses) -> Bool {
    for classes in self.classes where present.isDisjoint(with: classes) { return false }
    return true
  }

  /// Whether it is at `start`, all of it.
  func isAt(_ start: Int, _ span: Span<UInt8>) -> Bool {
    guard start + self.count <= span.count else { return false }
    for place in 0..<self.count
    where self.places[Int(span[start + place])] & 1 << UInt32(place) == 0 {
      return false
    }
    return true
  }
}
