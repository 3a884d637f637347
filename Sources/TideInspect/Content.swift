public import TideCore

/// What a run of content is that is searched by itself: a message's body, or one unit of it.
public struct Content: Sendable {
  /// Where it stands; `body` or `websocket`.
  public let location: FindingLocation
  /// Which way it goes.
  public let direction: Direction
  /// Its Content-Type and Content-Encoding, among others.
  public let fields: HeaderFields
  /// Where it begins in what findings count positions from.
  public let offset: Int
  /// Whether it goes on without an end that is worth waiting for: it is searched as it passes, from its
  /// first byte, and no layer in it is opened.
  public let isStream: Bool

  /// Describes content.
  public init(
    location: FindingLocation = .body,
    direction: Direction,
    fields: HeaderFields,
    offset: Int = 0,
    isStream: Bool = false
  ) {
    self.location = location
    self.direction = direction
    self.fields = fields
    self.offset = offset
    self.isStream = isStream
  }

  /// How many bytes were said to come; nil if that was not said.
  var declaredCount: Int? { self.fields.first("content-length").flatMap { Int($0.text) } }

  /// The part that its bytes are once its content coding is off.
  func part(firstByte: UInt8, layers: [String]) -> Part {
    Part(
      location: self.location,
      direction: self.direction,
      syntax: BodyFacts.syntax(self.fields, firstByte: firstByte),
      offset: layers.isEmpty ? self.offset : 0,
      layers: layers,
      mediaType: BodyFacts.mediaType(self.fields),
      boundary: BodyFacts.boundary(self.fields)
    )
  }
}
