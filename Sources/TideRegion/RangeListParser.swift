/// Reads a list of ranges block by block, so that no more of a file is in memory than a block.
///
/// A block may end anywhere in a line. A line that is longer than `longestLine` is not of such a list.
public struct RangeListParser {
  /// The most bytes of a line; those in use have under 90.
  public static let longestLine = 4_096
  /// Bytes that a line of each family takes at least, on the average of a real list.
  private static let shortLines = (v4: 24, v6: 56)

  private var reader: RangeListReader
  private let name: String
  private var count = 0
  /// The begin of a line whose end is in the next block.
  private var rest: [UInt8] = []
  private var reservation: Int

  /// Makes a parser that has read nothing.
  ///
  /// - Parameters:
  ///   - name: the file's name, for signals and errors.
  ///   - size: how many bytes there are, if known: room is taken once.
  public init(name: String, size: Int = 0) {
    self.reader = RangeListReader(name: name)
    self.name = name
    self.reservation = size
  }

  /// Reads the next block.
  ///
  /// - Throws: `.malformed`, `.unsorted` or `.overlapping` with the line.
  public mutating func read(_ block: Span<UInt8>) throws(RegionFailure) {
    self.count += block.count
    var first = 0
    if !self.rest.isEmpty {
      guard let end = Self.firstLineEnd(of: block) else { return try self.keep(block) }
      self.rest.append(contentsOf: block, 0..<end)
      try self.readRest()
      first = end
    }
    let last = Self.lastLineEnd(of: block, from: first)
    try self.reader.read(block.extracting(first..<last))
    try self.keep(block.extracting(last...))
    self.reserve()
  }

  /// Ends the list; what follows the last line end is a line too.
  ///
  /// - Parameter sha256: the file's digest in hexadecimal, for the record.
  /// - Returns: the list.
  /// - Throws: as `read`, and `.empty` if there was no range.
  public consuming func finish(sha256: String? = nil) throws(RegionFailure) -> RangeList {
    try self.readRest()
    guard self.reader.ranges > 0 else {
      throw RegionFailure(.empty, source: self.name, detail: "no range in \(self.count) bytes")
    }
    self.reader.v4.close()
    self.reader.v6.close()
    let info = RegionSourceInfo(
      name: self.name,
      date: self.reader.date,
      sha256: sha256,
      entries: self.reader.ranges,
      hasIPv4: !self.reader.v4.isEmpty,
      hasIPv6: !self.reader.v6.isEmpty,
      knowsCountry: true,
      knowsASN: false
    )
    return RangeList(info: info, v4: self.reader.v4, v6: self.reader.v6)
  }

  private mutating func readRest() throws(RegionFailure) {
    let line = self.rest
    self.rest = []
    try self.reader.read(line.span)
  }

  private mutating func keep(_ part: Span<UInt8>) throws(RegionFailure) {
    guard self.rest.count + part.count <= Self.longestLine else {
      throw self.reader.endless(Self.longestLine)
    }
    self.rest.append(contentsOf: part, 0..<part.count)
  }

  /// Takes room for the whole list once its family is known: arrays that double hold three times the room
  /// for a moment.
  private mutating func reserve() {
    guard self.reservation > 0, self.reader.ranges > 0 else { return }
    if self.reader.v6.isEmpty {
      self.reader.v4.reserve(self.reservation / Self.shortLines.v4)
    } else if self.reader.v4.isEmpty {
      self.reader.v6.reserve(self.reservation / Self.shortLines.v6)
    }
    self.reservation = 0
  }

  /// The index after the first line feed.
  private static func firstLineEnd(of block: Span<UInt8>) -> Int? {
    for index in block.indices where block[index] == 0x0A { return index + 1 }
    return nil
  }

  /// The index after the last line feed from `first` on; `first` if there is none.
  private static func lastLineEnd(of block: Span<UInt8>, from first: Int) -> Int {
    var end = block.count
    while end > first, block[end - 1] != 0x0A { end -= 1 }
    return end
  }
}

extension [UInt8] {
  fileprivate mutating func append(contentsOf block: Span<UInt8>, _ range: Range<Int>) {
    self.reserveCapacity(self.count + range.count)
    for index in range { self.append(block[index]) }
  }
}
