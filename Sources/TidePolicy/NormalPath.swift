internal import TideCore

/// A path as a server may read it: percent-encoding taken off once, dot segments and empty ones resolved.
///
/// Servers take `/api/%61ds`, `/api//ads` and `/api/x/../ads` for `/api/ads` (RFC 3986 §6.2.2); a rule on
/// a path that knew only the bytes sent would be dodged by any of them.
enum NormalPath {
  /// `path` in that form; nil if it is in it already.
  static func of(_ path: Bytes) -> Bytes? {
    guard path.withSpan({ Self.mayDiffer($0) }) else { return nil }
    let decoded = Self.percentDecoded(path.array)
    var segments: [ArraySlice<UInt8>] = []
    let parts = decoded.split(separator: 0x2F, omittingEmptySubsequences: true)
    for part in parts {
      if part.elementsEqual(".".utf8) { continue }
      if part.elementsEqual("..".utf8) {
        _ = segments.popLast()
      } else {
        segments.append(part)
      }
    }
    var normal: [UInt8] = []
    for segment in segments {
      normal.append(0x2F)
      normal += segment
    }
    let endsInside = decoded.last == 0x2F || parts.last.map(Self.isDots) == true
    if normal.isEmpty || endsInside { normal.append(0x2F) }
    return normal.elementsEqual(path.array) ? nil : Bytes(normal)
  }

  private static func isDots(_ part: ArraySlice<UInt8>) -> Bool {
    part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)
  }

  /// Whether there is a `%`, or a slash before another or before a dot.
  private static func mayDiffer(_ path: Span<UInt8>) -> Bool {
    var wasSlash = false
    for index in path.indices {
      let byte = path[index]
      if byte == 0x25 || wasSlash && (byte == 0x2F || byte == 0x2E) { return true }
      wasSlash = byte == 0x2F
    }
    return false
  }

  private static func percentDecoded(_ bytes: [UInt8]) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if bytes[index] == 0x25, index + 2 < bytes.count,
        let high = ASCII.hexValue(bytes[index + 1]), let low = ASCII.hexValue(bytes[index + 2])
      {
        decoded.append(high << 4 | low)
        index += 3
      } else {
        decoded.append(bytes[index])
        index += 1
      }
    }
    return decoded
  }
}
