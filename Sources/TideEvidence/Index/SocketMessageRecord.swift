public import TideCore

/// A WebSocket message or control frame as recorded.
public struct SocketMessageRecord: Sendable {
  /// When it ended, RFC 3339.
  public let time: String
  /// Which way it went.
  public let direction: Direction
  /// As it came or as it went on.
  public let stage: BodyStage
  /// What it is.
  public let kind: SocketMessage.Kind
  /// The size of its payload, unmasked and decompressed.
  public let size: UInt64
  /// How many frames it came in.
  public let frames: Int
  /// Whether it came compressed.
  public let isCompressed: Bool
  /// The SHA-256 of what is kept of the payload, in hexadecimal; nil if nothing is.
  public let sha256: String?
  /// Whether the payload is longer than what is kept.
  public let isTruncated: Bool

  init?(_ event: LogEvent) {
    let members = event.members
    guard event.type == "message",
      let direction = members["direction"]?.string.flatMap(Direction.init(rawValue:)),
      let stage = members["stage"]?.string.flatMap(BodyStage.init(rawValue:)),
      let kind = members["kind"]?.string.flatMap(SocketMessage.Kind.init(rawValue:))
    else { return nil }
    self.time = event.time
    self.direction = direction
    self.stage = stage
    self.kind = kind
    self.size = members["size"]?.unsigned ?? 0
    self.frames = Int(clamping: members["frames"]?.unsigned ?? 0)
    self.isCompressed = members["compressed"]?.bool ?? false
    self.sha256 = members["sha256"]?.string
    self.isTruncated = members["truncated"]?.bool ?? false
  }

  func write(into json: inout JSONWriter) {
    json.beginObject()
    json.member("time", self.time)
    json.member("direction", self.direction.rawValue)
    json.member("stage", self.stage.rawValue)
    json.member("kind", self.kind.rawValue)
    json.member("size", self.size)
    json.member("frames", self.frames)
    json.member("compressed", self.isCompressed)
    json.member("sha256", self.sha256)
    json.member("truncated", self.isTruncated)
    json.endObject()
  }
}
