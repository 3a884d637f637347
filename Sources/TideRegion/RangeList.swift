public import TideCore

/// A list of address ranges and their countries, as Debian's `tor-geoipdb` ships them.
///
/// Lines are `LOW,HIGH,CC`: decimal numbers for IPv4, RFC 4291 text for IPv6; `??` is an unknown country
/// and `#` begins a comment. `RangeListParser` reads them. About 20 bytes a range once read; a look-up is one
/// binary search.
public struct RangeList: Sendable {
  /// What the list is.
  public let info: RegionSourceInfo
  private let v4: RangeIndex<UInt32>
  private let v6: RangeIndex<UInt128>

  init(
    info: RegionSourceInfo,
    v4: RangeIndex<UInt32>,
    v6: RangeIndex<UInt128>
  ) {
    self.info = info
    self.v4 = v4
    self.v6 = v6
  }

  /// The country of `address`; nil if no range contains it or its country is unknown.
  public func country(of address: IPAddress) -> String? {
    let code =
      switch address {
      case .v4(let value): self.v4.code(of: value)
      case .v6(let value): self.v6.code(of: value)
      }
    guard code != 0 else { return nil }
    let letters = [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)]
    return String(decoding: letters, as: UTF8.self)
  }

  /// The bytes of memory that the ranges take.
  var footprint: Int { self.v4.footprint + self.v6.footprint }
}

/// Sorted ranges of one family: where each begins and what holds from there on.
///
/// Lists hardly have gaps, so a gap is a range of its own with code 0 and no upper bounds are kept. A
/// code is a country's two letters as one number, so that no string is made while reading.
struct RangeIndex<Address: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
  /// How a range relates to those before it.
  enum Order {
    case inOrder
    case unsorted
    case overlapping
  }

  private var starts: [Address] = []
  private var codes: [UInt16] = []
  private var lastLow: Address = 0
  private var lastHigh: Address = 0

  var isEmpty: Bool { self.starts.isEmpty }

  var footprint: Int {
    self.starts.capacity * MemoryLayout<Address>.stride
      + self.codes.capacity * MemoryLayout<UInt16>.stride
  }

  mutating func reserve(_ count: Int) {
    self.starts.reserveCapacity(count)
    self.codes.reserveCapacity(count)
  }

  mutating func append(_ low: Address, _ high: Address, _ code: UInt16) -> Order {
    if !self.isEmpty {
      if low <= self.lastHigh { return low < self.lastLow ? .unsorted : .overlapping }
      if low - self.lastHigh > 1 {
        self.starts.append(self.lastHigh + 1)
        self.codes.append(0)
      }
    }
    self.starts.append(low)
    self.codes.append(code)
    self.lastLow = low
    self.lastHigh = high
    return .inOrder
  }

  /// Ends the last range and gives back the room that is left.
  mutating func close() {
    guard !self.isEmpty else { return }
    if self.lastHigh < Address.max {
      self.starts.append(self.lastHigh + 1)
      self.codes.append(0)
    }
    self.starts = [Address](self.starts[...])
    self.codes = [UInt16](self.codes[...])
  }

  func code(of value: Address) -> UInt16 {
    var low = 0
    var high = self.starts.count
    while low < high {
      let middle = (low + high) / 2
      if self.starts[middle] <= value { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? 0 : self.codes[low - 1]
  }
}
