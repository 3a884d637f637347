public import TideCore

/// What one glance at a run of bytes shows: its length, its edges, and which classes of bytes occur.
public struct Shape: Sendable {
  /// How many bytes.
  public let count: Int
  /// The first byte; 0 if there is none.
  public let first: UInt8
  /// The last byte; 0 if there is none.
  public let last: UInt8
  /// The classes of all bytes, or of the first and last 4 KiB of a longer run.
  public let classes: ByteClasses

  /// Looks at `bytes`.
  public init(_ bytes: Bytes) {
    self.init(count: bytes.count, bytes.withSpan { Self.look($0) })
  }

  /// Looks at `range` of `span`.
  public init(_ span: Span<UInt8>, _ range: Range<Int>) {
    self.init(count: range.count, Self.look(span.extracting(range)))
  }

  private init(count: Int, _ seen: (first: UInt8, last: UInt8, classes: ByteClasses)) {
    self.count = count
    self.first = seen.first
    self.last = seen.last
    self.classes = seen.classes
  }

  private static func look(
    _ span: Span<UInt8>
  ) -> (first: UInt8, last: UInt8, classes: ByteClasses) {
    guard !span.isEmpty else { return (0, 0, []) }
    let most = 4 << 10
    let table = ByteClasses.table.span
    var bits: UInt32 = 0
    let head = min(span.count, most)
    for index in 0..<head { bits |= table[Int(span[index])] }
    for index in max(head, span.count - most)..<span.count { bits |= table[Int(span[index])] }
    return (span[0], span[span.count - 1], ByteClasses(rawValue: bits))
  }
}

/// Classes of bytes, as far as codings tell them apart; each byte is in exactly one.
public struct ByteClasses: OptionSet, Sendable {
  /// One bit a class.
  public let rawValue: UInt32

  /// Makes a set of these bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `0` to `9`.
  public static let digit = ByteClasses(rawValue: 1 << 0)
  /// `a` to `f`.
  public static let hexLower = ByteClasses(rawValue: 1 << 1)
  /// `A` to `F`.
  public static let hexUpper = ByteClasses(rawValue: 1 << 2)
  /// `g` to `z`.
  public static let otherLower = ByteClasses(rawValue: 1 << 3)
  /// `G` to `Z`.
  public static let otherUpper = ByteClasses(rawValue: 1 << 4)
  /// `+`.
  public static let plus = ByteClasses(rawValue: 1 << 5)
  /// `/`.
  public static let slash = ByteClasses(rawValue: 1 << 6)
  /// `-`.
  public static let hyphen = ByteClasses(rawValue: 1 << 7)
  /// `_`.
  public static let underscore = ByteClasses(rawValue: 1 << 8)
  /// `=`.
  public static let equals = ByteClasses(rawValue: 1 << 9)
  /// `%`.
  public static let percent = ByteClasses(rawValue: 1 << 10)
  /// `&`.
  public static let ampersand = ByteClasses(rawValue: 1 << 11)
  /// `.`.
  public static let dot = ByteClasses(rawValue: 1 << 12)
  /// A space.
  public static let space = ByteClasses(rawValue: 1 << 13)
  /// Tab, line feed, carriage return.
  public static let line = ByteClasses(rawValue: 1 << 14)
  /// `,` `;` `|`: what separates fields.
  public static let separator = ByteClasses(rawValue: 1 << 15)
  /// `\`.
  public static let backslash = ByteClasses(rawValue: 1 << 16)
  /// `{` `}` `[` `]` `"` `<` `>` `:`: what structured text is made of.
  public static let bracket = ByteClasses(rawValue: 1 << 17)
  /// Other printable ASCII.
  public static let punctuation = ByteClasses(rawValue: 1 << 18)
  /// Control characters but those of `line`, and DEL.
  public static let control = ByteClasses(rawValue: 1 << 19)
  /// 0x80 and above.
  public static let high = ByteClasses(rawValue: 1 << 20)

  /// Hexadecimal digits of either case.
  public static let hexadecimal: ByteClasses = [.digit, .hexLower, .hexUpper]
  /// ASCII letters and digits.
  public static let alphanumeric: ByteClasses = [.hexadecimal, .otherLower, .otherUpper]
  /// The digits and padding of base64 in both alphabets (RFC 4648).
  public static let base64: ByteClasses = [
    .alphanumeric, .plus, .slash, .hyphen, .underscore, .equals,
  ]
  /// What text has none of.
  public static let binary: ByteClasses = [.control]

  /// Each byte's class.
  static let table: [UInt32] = (0...UInt8.max).map { Self.of($0).rawValue }

  private static func of(_ byte: UInt8) -> ByteClasses {
    switch byte {
    case 0x30...0x39: .digit
    case 0x61...0x66: .hexLower
    case 0x41...0x46: .hexUpper
    case 0x67...0x7A: .otherLower
    case 0x47...0x5A: .otherUpper
    case 0x2B: .plus
    case 0x2F: .slash
    case 0x2D: .hyphen
    case 0x5F: .underscore
    case 0x3D: .equals
    case 0x25: .percent
    case 0x26: .ampersand
    case 0x2E: .dot
    case 0x20: .space
    case 0x09, 0x0A, 0x0D: .line
    case 0x2C, 0x3B, 0x7C: .separator
    case 0x5C: .backslash
    case 0x7B, 0x7D, 0x5B, 0x5D, 0x22, 0x3C, 0x3E, 0x3A: .bracket
    case 0x21...0x7E: .punctuation
    case 0x80...: .high
    default: .control
    }
  }
}
