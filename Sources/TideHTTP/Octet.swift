/// The classes of octets that HTTP's grammar is made of (RFC 9110 §5.5, §5.6).
enum Octet {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let comma: UInt8 = 0x2C
  static let colon: UInt8 = 0x3A
  static let semicolon: UInt8 = 0x3B

  /// Whether `byte` is a `tchar`.
  ///
  /// One bit for each of the 128 ASCII octets: a table would cost a load and a bounds check each.
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    let bits: UInt64 = byte & 0x40 == 0 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
    return byte < 0x80 && bits &>> UInt64(byte & 0x3F) & 1 == 1
  }

  /// Whether `byte` may stand in a field value or a reason phrase: HTAB, SP, VCHAR or obs-text.
  @inline(__always)
  static func isFieldText(_ byte: UInt8) -> Bool {
    byte >= Self.space ? byte != 0x7F : byte == Self.tab
  }

  /// Whether `byte` may stand in a request target: anything but controls and white space.
  ///
  /// Octets from 0x80 up are not a URI's (RFC 3986 §2), but devices send raw UTF-8 and every server
  /// reads them alike.
  @inline(__always)
  static func isTargetText(_ byte: UInt8) -> Bool { byte > Self.space && byte != 0x7F }

  /// Whether `byte` is SP or HTAB, of which OWS and BWS are made.
  @inline(__always)
  static func isBlank(_ byte: UInt8) -> Bool { byte == Self.space || byte == Self.tab }
}
