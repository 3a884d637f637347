public import TideCore

/// What opening layers may cost, for one message in one direction.
///
/// Bytes, nodes, depth, ratio and time; whichever runs out first is remembered, and from then on nothing
/// more is opened.
public struct DecodingBudget: Sendable {
  /// What ran out.
  public enum Limit: String, Sendable {
    /// Decoded bytes.
    case bytes
    /// Places inside containers.
    case nodes
    /// Layers inside layers.
    case depth
    /// Decoded bytes for each encoded byte.
    case ratio
    /// Time.
    case time
  }

  /// Decoded bytes that are left.
  public private(set) var bytes: Int
  /// Nodes that are left.
  public private(set) var nodes: Int
  /// The most layers inside each other.
  public let depth: Int
  /// The most decoded bytes for each encoded byte of a compressed layer.
  public let ratio: Int
  /// What ran out first; nil while nothing has.
  public private(set) var exceeded: Limit?
  private let clock: (any MonotonicClock)?
  private let nanoseconds: UInt64
  /// When time is over; nil until the clock is read.
  private var deadline: UInt64?
  /// Work since the clock was last read.
  private var work = 0

  /// Opens a budget.
  ///
  /// - Parameters:
  ///   - bytes: decoded bytes.
  ///   - nodes: places inside containers.
  ///   - depth: layers inside each other.
  ///   - ratio: decoded bytes for each encoded one.
  ///   - nanoseconds: time, from the first 4 KiB of work on: most messages end before that, and to read
  ///     the clock costs as much as to search them.
  ///   - clock: who knows the time; nil for no limit.
  public init(
    bytes: Int,
    nodes: Int,
    depth: Int,
    ratio: Int,
    nanoseconds: UInt64 = 0,
    clock: (any MonotonicClock)? = nil
  ) {
    self.bytes = bytes
    self.nodes = nodes
    self.depth = depth
    self.ratio = ratio
    self.clock = clock
    self.nanoseconds = nanoseconds
  }

  /// Whether something ran out.
  public var isExceeded: Bool { self.exceeded != nil }

  /// Takes decoded bytes; false if there are not so many left.
  public mutating func spend(bytes count: Int) -> Bool {
    guard self.goOn(count) else { return false }
    guard count <= self.bytes else { return self.refuse(.bytes) }
    self.bytes -= count
    return true
  }

  /// Takes nodes; false if there are not so many left.
  public mutating func spend(nodes count: Int) -> Bool {
    guard self.goOn(count * 16) else { return false }
    guard count <= self.nodes else { return self.refuse(.nodes) }
    self.nodes -= count
    return true
  }

  /// Notes work, counted in bytes that were looked at; false if time or anything else ran out.
  ///
  /// The clock is read after 4 KiB, then after every 64 KiB.
  public mutating func goOn(_ count: Int) -> Bool {
    if self.exceeded != nil { return false }
    self.work += count
    guard self.work >= (self.deadline == nil ? 4 << 10 : 64 << 10) else { return true }
    self.work = 0
    guard let clock = self.clock else { return true }
    let now = clock.now()
    guard let deadline = self.deadline else {
      self.deadline = now &+ self.nanoseconds
      return true
    }
    return now > deadline ? self.refuse(.time) : true
  }

  /// Says that a limit was met that the budget does not count itself; always false.
  public mutating func refuse(_ limit: Limit) -> Bool {
    if self.exceeded == nil { self.exceeded = limit }
    return false
  }
}
