import TideCore
import TideDecoding

/// One coordinate as it is written somewhere.
struct Coordinate {
  /// How it is written.
  enum Form: Hashable {
    /// Degrees with so many places; its sign may be a letter beside it.
    case degrees(places: Int, hasHemisphere: Bool)
    /// Degrees times this, as an integer.
    case scaled(Double)
    /// The same, with the sign in the lowest bit (protobuf's sint).
    case zigzag(Double)
    /// The same, negative as an unsigned integer of so many bits.
    case complement(Double, bits: Int)
  }

  /// Degrees.
  let value: Double
  let form: Form
  /// The bytes, counted from the leaf's start.
  let range: Range<Int>

  /// This coordinate's form with another value, as many bytes long where that is possible.
  func writing(_ value: Double) -> [UInt8] {
    switch self.form {
    case .degrees(let places, let hasHemisphere):
      return Array(Position.text(hasHemisphere ? value.magnitude : value, places: places).utf8)
    case .scaled(let factor):
      return Array(Position.text(value * factor, places: 0).utf8)
    case .zigzag(let factor):
      let scaled = Int64((value * factor).rounded())
      return Array(String(UInt64(bitPattern: scaled << 1 ^ scaled >> 63)).utf8)
    case .complement(let factor, let bits):
      let scaled = Int64((value * factor).rounded())
      let mask = bits == 64 ? UInt64.max : UInt64(1) << UInt64(bits) - 1
      return Array(String(UInt64(bitPattern: scaled) & mask).utf8)
    }
  }

  /// Whether another number may be the other half of the same position.
  func isWritten(like other: Coordinate) -> Bool { self.factor == other.factor }

  private var factor: Double {
    switch self.form {
    case .degrees: 1
    case .scaled(let factor), .zigzag(let factor), .complement(let factor, _): factor
    }
  }

  /// Whether it has as many places as a position has; of a number that is one, zeros at the end are not written.
  var isPrecise: Bool {
    switch self.form {
    case .degrees(let places, _): places >= Self.fewestPlaces
    case .scaled, .zigzag, .complement: true
    }
  }

  // MARK: Degrees

  /// The fewest places of a position; with fewer it is a town.
  static let fewestPlaces = 3
  /// Doubles in full have 14 at most; longer ones are no numbers of anybody's.
  private static let mostPlaces = 17

  /// The decimal numbers with `fewest` places or more in text, in order, of which `isWanted`; `most` at most.
  ///
  /// A number that goes on with a dot or a letter is a version, an address or a drawing; but `N`, `S`, `E`
  /// and `W` beside it are its sign.
  static func decimals(
    _ span: Span<UInt8>,
    most: Int,
    fewest: Int = Self.fewestPlaces,
    where isWanted: (Double) -> Bool
  ) -> [Coordinate] {
    var found: [Coordinate] = []
    var index = 1
    while found.count < most,
      let dot = span.firstIndex(of: 0x2E, in: (index, span.count - fewest))
    {
      index = dot + 1
      guard ASCII.isDigit(span[dot - 1]) else { continue }
      while index < span.count, ASCII.isDigit(span[index]) { index += 1 }
      guard let number = self.decimal(span, dot, index, fewest), isWanted(number.value) else {
        continue
      }
      found.append(number)
    }
    return found
  }

  /// The number around a dot, whose places end at `end`; nil if it is none, or a part of something.
  private static func decimal(
    _ span: Span<UInt8>,
    _ dot: Int,
    _ end: Int,
    _ fewest: Int
  ) -> Coordinate? {
    let places = end - dot - 1
    guard (fewest...self.mostPlaces).contains(places) else { return nil }
    var start = dot
    while start > 0, ASCII.isDigit(span[start - 1]) {
      start -= 1
      if dot - start > 3 { return nil }
    }
    var side: UInt8?
    if end < span.count, self.isNumberByte(span[end]) {
      guard let letter = self.side(span, end, beyond: end + 1) else { return nil }
      side = letter
    }
    var isNegative = false
    if start > 0 {
      if span[start - 1] == 0x2D {
        isNegative = true
      } else if self.isNumberByte(span[start - 1]) {
        guard side == nil, let letter = self.side(span, start - 1, beyond: start - 2) else {
          return nil
        }
        side = letter
      }
    }
    var value = 0.0
    var scale = 1.0
    for index in start..<end where index != dot {
      value = value * 10 + Double(span[index] &- 0x30)
      if index > dot { scale *= 10 }
    }
    value /= scale
    if isNegative || side == 0x53 || side == 0x57 { value = -value }
    return Coordinate(
      value: value,
      form: .degrees(places: places, hasHemisphere: side != nil),
      range: (isNegative ? start - 1 : start)..<end
    )
  }

  /// The hemisphere's letter at `position`, in upper case, if nothing goes on at `neighbour`.
  private static func side(_ span: Span<UInt8>, _ position: Int, beyond neighbour: Int) -> UInt8? {
    let letter = span[position] & 0xDF
    guard letter == 0x4E || letter == 0x53 || letter == 0x45 || letter == 0x57 else { return nil }
    let isAlone =
      neighbour < 0 || neighbour >= span.count || !self.isNumberByte(span[neighbour])
    return isAlone ? letter : nil
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || byte == 0x2E || ASCII.lowercased(byte) &- 0x61 < 26
  }

  // MARK: Integers

  /// What an integer may stand for: degrees times 10^5, 10^6 or 10^7, of which `isWanted`.
  static func scaled(
    _ span: Span<UInt8>,
    _ form: LayerNode.Form,
    where isWanted: (Double) -> Bool
  ) -> [Coordinate] {
    guard (6...20).contains(span.count) else { return [] }
    let isNegative = span[0] == 0x2D
    var unsigned: UInt64 = 0
    for index in (isNegative ? 1 : 0)..<span.count {
      guard ASCII.isDigit(span[index]) else { return [] }
      let (product, isOver) = unsigned.multipliedReportingOverflow(by: 10)
      let (sum, isOverToo) = product.addingReportingOverflow(UInt64(span[index] &- 0x30))
      if isOver || isOverToo { return [] }
      unsigned = sum
    }
    switch form {
    case .text, .number, .float32, .float64, .bytes:
      // 180 degrees in the finest unit; a time in milliseconds is far beyond.
      if unsigned > 1_800_000_000 { return [] }
    case .varint, .fixed32, .fixed64: break
    }
    var found: [Coordinate] = []
    let range = 0..<span.count
    for factor in [1e5, 1e6, 1e7] {
      func add(_ number: Double, _ form: Form) {
        let value = number / factor
        guard value.magnitude <= 180, isWanted(value) else { return }
        found.append(Coordinate(value: value, form: form, range: range))
      }
      add(isNegative ? -Double(unsigned) : Double(unsigned), .scaled(factor))
      if isNegative { continue }
      switch form {
      case .varint:
        add(Double(Int64(unsigned >> 1) ^ -Int64(unsigned & 1)), .zigzag(factor))
        if unsigned > UInt64(Int64.max) {
          add(Double(Int64(bitPattern: unsigned)), .complement(factor, bits: 64))
        }
      case .fixed32:
        if let low = UInt32(exactly: unsigned), low > UInt32(Int32.max) {
          add(Double(Int32(bitPattern: low)), .complement(factor, bits: 32))
        }
      case .fixed64:
        if unsigned > UInt64(Int64.max) {
          add(Double(Int64(bitPattern: unsigned)), .complement(factor, bits: 64))
        }
      case .text, .number, .float32, .float64, .bytes: break
      }
    }
    return found
  }
}
