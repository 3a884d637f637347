internal import TideCore

/// A message of a flow in one version, which several lines of the log tell of.
protocol MessageVersion {
  /// Which way it goes.
  var direction: Direction { get }
  /// As it came or as it went on.
  var stage: BodyStage { get }

  /// Makes a message of which nothing is known yet.
  init(direction: Direction, stage: BodyStage)
}

extension Array where Element: MessageVersion {
  /// The message that goes one way, in one version.
  func message(_ direction: Direction, _ stage: BodyStage) -> Element? {
    self.first { $0.direction == direction && $0.stage == stage }
  }

  /// Where the message is that a line is about; it is made if this line is the first.
  ///
  /// - Returns: the index; nil if the line does not say which message.
  mutating func place(of event: LogEvent) -> Int? {
    guard let direction = event.members["direction"]?.string.flatMap(Direction.init(rawValue:)),
      let stage = event.members["stage"]?.string.flatMap(BodyStage.init(rawValue:))
    else { return nil }
    if let index = self.firstIndex(where: { $0.direction == direction && $0.stage == stage }) {
      return index
    }
    self.append(Element(direction: direction, stage: stage))
    return self.count - 1
  }
}
