internal import TideCore

/// Percent-encoding (RFC 3986 §2.1), also as forms write it (WHATWG URL §5.1).
enum Percent {
  /// `bytes` with each `%XX` taken for the byte that it stands for.
  ///
  /// A `%` that no two hexadecimal digits follow stands for itself, as browsers and servers have it.
  ///
  /// - Parameters:
  ///   - bytes: what is written.
  ///   - plusIsSpace: whether `+` is a space, as in a form or a query.
  /// - Returns: the bytes.
  static func decoded(_ bytes: some Sequence<UInt8>, plusIsSpace: Bool) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.underestimatedCount)
    /// What of an escape was read: nothing, the `%`, or the `%` and this digit.
    var escape = Escape.none
    for byte in bytes {
      switch escape {
      case .none: break
      case .percent:
        if let high = ASCII.hexValue(byte) {
          escape = .digit(written: byte, high: high)
          continue
        }
        decoded.append(0x25)
        escape = .none
      case .digit(let written, let high):
        escape = .none
        if let low = ASCII.hexValue(byte) {
          decoded.append(high << 4 | low)
          continue
        }
        decoded.append(0x25)
        decoded.append(written)
      }
      switch byte {
      case 0x25: escape = .percent
      case 0x2B where plusIsSpace: decoded.append(0x20)
      default: decoded.append(byte)
      }
    }
    switch escape {
    case .none: break
    case .percent: decoded.append(0x25)
    case .digit(let written, _): decoded += [0x25, written]
    }
    return decoded
  }

  /// `bytes` with each `%XX` taken for the byte that it stands for, as above.
  static func decoded(_ bytes: Bytes, plusIsSpace: Bool) -> [UInt8] {
    bytes.withSpan { span in
      var decoded: [UInt8] = []
      decoded.reserveCapacity(span.count)
      var index = 0
      while index < span.count {
        let byte = span[index]
        index += 1
        if byte == 0x25, index + 1 < span.count, let high = ASCII.hexValue(span[index]),
          let low = ASCII.hexValue(span[index + 1])
        {
          decoded.append(high << 4 | low)
          index += 2
        } else {
          decoded.append(byte == 0x2B && plusIsSpace ? 0x20 : byte)
        }
      }
      return decoded
    }
  }

  private enum Escape {
    case none
    case percent
    case digit(written: UInt8, high: UInt8)
  }
}
