public import TideCore

/// Cuts content where its units end, without holding any of it back but part of a gRPC prefix.
///
/// Nothing is refused: from where the content is malformed on, it is one unit without end.
public struct UnitSplitter: Sendable {
  private enum State {
    case grpc(GRPCUnits)
    case events(EventUnits)
    /// `isEmpty` is whether the line has not begun.
    case lines(isEmpty: Bool)
    case broken
  }

  private var state: State

  /// Makes a splitter of one message's content.
  public init(_ framing: UnitFraming) {
    switch framing {
    case .grpc: self.state = .grpc(GRPCUnits())
    case .events: self.state = .events(EventUnits())
    case .lines: self.state = .lines(isEmpty: true)
    }
  }

  /// Whether the content has turned out not to be what it says; only gRPC can.
  public var isBroken: Bool {
    if case .broken = self.state { true } else { false }
  }

  /// Whether no unit has begun that has not ended.
  public var isBetweenUnits: Bool {
    switch self.state {
    case .grpc(let units): units.isBetweenUnits
    case .events(let units): units.isBetweenUnits
    case .lines(let isEmpty): isEmpty
    case .broken: false
    }
  }

  /// Cuts the next bytes of the content.
  public mutating func receive(_ bytes: Bytes, _ pieces: inout [UnitPiece]) {
    guard !bytes.isEmpty else { return }
    switch self.state {
    case .grpc(var units):
      let rest = units.receive(bytes, &pieces)
      self.state = .grpc(units)
      guard let rest else { return }
      self.state = .broken
      pieces.append(UnitPiece(bytes: rest, endsUnit: false))
    case .events(var units):
      units.receive(bytes, &pieces)
      self.state = .events(units)
    case .lines:
      var start = 0
      while start < bytes.count {
        let lineFeed = bytes.withSpan { $0.firstLineFeed(from: start) }
        let end = min(lineFeed + 1, bytes.count)
        let endsUnit = lineFeed < bytes.count
        pieces.append(UnitPiece(bytes: bytes.slice(start..<end), endsUnit: endsUnit))
        self.state = .lines(isEmpty: endsUnit)
        start = end
      }
    case .broken: pieces.append(UnitPiece(bytes: bytes, endsUnit: false))
    }
  }

  /// Says that the content is complete: the unit that is open ends here.
  ///
  /// A last line needs no line end. A gRPC message that is cut short is broken; so is half a prefix.
  public mutating func finish(_ pieces: inout [UnitPiece]) {
    guard !self.isBetweenUnits else { return }
    var rest = Bytes()
    switch self.state {
    case .grpc(let units):
      rest = units.held
      self.state = .broken
    case .events: self.state = .events(EventUnits())
    case .lines: self.state = .lines(isEmpty: true)
    case .broken: break
    }
    pieces.append(UnitPiece(bytes: rest, endsUnit: true))
  }
}
