/// One entry's header of a tar archive (POSIX.1-2001, pax): the same bytes for the same entry, wherever made.
enum BundleTar {
  static let blockSize = 512

  /// The header of a file or folder, its owner's alone and nobody's in particular.
  ///
  /// - Parameters:
  ///   - path: with `/`; a folder's ends with one.
  ///   - size: how many bytes follow; 0 of a folder.
  ///   - seconds: when it was changed, since 1970.
  /// - Returns: one block, or more with what one has no room for.
  static func header(_ path: String, size: UInt64, seconds: Int64) -> [UInt8] {
    let isFolder = path.hasSuffix("/")
    let mode: UInt64 = isFolder ? 0o700 : 0o600
    let kind: UInt8 = isFolder ? 0x35 : 0x30
    let seconds = UInt64(clamping: seconds)
    let parts = self.split(Array(path.utf8))
    var records: [UInt8] = []
    if parts == nil { records += self.record("path", path) }
    if size > Self.largestOctal { records += self.record("size", String(size)) }
    var header: [UInt8] = []
    if !records.isEmpty {
      let name = (prefix: [UInt8](), name: Array("pax".utf8))
      header = self.block(name, 0o600, UInt64(records.count), seconds, kind: 0x78)
      header += self.padded(records)
    }
    // Who reads the record does not read these; who does not gets as much as there is room for.
    let name = parts ?? (prefix: [], name: Array(path.utf8.suffix(100)))
    return header + self.block(name, mode, min(size, Self.largestOctal), seconds, kind: kind)
  }

  /// How many zeros follow a file.
  static func padding(after size: UInt64) -> Int {
    let rest = Int(size % UInt64(self.blockSize))
    return rest == 0 ? 0 : self.blockSize - rest
  }

  /// The end of an archive.
  static var end: [UInt8] { [UInt8](repeating: 0, count: 2 * self.blockSize) }

  private static let largestOctal: UInt64 = 0o77_777_777_777

  /// A path as the two fields have it; nil if they have no room for it.
  private static func split(_ path: [UInt8]) -> (prefix: [UInt8], name: [UInt8])? {
    guard path.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return nil }
    if path.count <= 100 { return ([], path) }
    // The last `/` of a folder belongs to its name.
    guard let slash = path.dropLast().prefix(156).lastIndex(of: 0x2F), slash > 0,
      path.count - slash - 1 <= 100
    else { return nil }
    return (Array(path[..<slash]), Array(path[(slash + 1)...]))
  }

  private static func padded(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: self.padding(after: UInt64(bytes.count)))
  }

  /// A pax record: its own length, in decimal, in front.
  private static func record(_ key: String, _ value: String) -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var count = rest.utf8.count
    while count != rest.utf8.count + String(count).utf8.count {
      count = rest.utf8.count + String(count).utf8.count
    }
    return Array("\(count)\(rest)".utf8)
  }

  private static func block(
    _ path: (prefix: [UInt8], name: [UInt8]),
    _ mode: UInt64,
    _ size: UInt64,
    _ seconds: UInt64,
    kind: UInt8
  ) -> [UInt8] {
    func text(_ bytes: [UInt8], _ room: Int) -> [UInt8] {
      bytes + [UInt8](repeating: 0, count: room - bytes.count)
    }
    func octal(_ number: UInt64, _ room: Int) -> [UInt8] {
      let digits = Array(String(number, radix: 8).utf8)
      return [UInt8](repeating: 0x30, count: max(0, room - 1 - digits.count)) + digits + [0]
    }
    let front =
      text(path.name, 100) + octal(mode, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12)
      + octal(seconds, 12)
    let back =
      [kind] + text([], 100) + Array("ustar\u{0}00".utf8) + text([], 32) + text([], 32)
      + octal(0, 8) + octal(0, 8) + text(path.prefix, 155) + text([], 12)
    // The sum is over the header with blanks in its own place.
    let sum = (front + back).reduce(UInt64(8 * 0x20)) { $0 + UInt64($1) }
    return front + octal(sum, 7) + [0x20] + back
  }
}
