internal import TideCore
internal import TideDecoding

/// What of a message's content a finding may have been made in: all of it, or one unit.
enum ContentParts {
  static func parts(
    _ content: Bytes,
    _ head: MessageParts,
    _ target: ValueTrace.Target
  ) -> [ValueTrace.Part] {
    let (type, boundary) = head.contentType
    let layers = head.contentLayers
    let context = LayerContext(place: .content, mediaType: type, boundary: boundary)
    var parts = [
      ValueTrace.Part(bytes: content, context: context, layers: layers)
    ]
    // gRPC is searched message by message (length-prefixed), places counted in the whole.
    if type.hasPrefix("application/grpc"),
      let unit = self.message(in: content, around: target.range)
    {
      parts.insert(
        ValueTrace.Part(
          bytes: content.slice(unit),
          context: context,
          base: unit.lowerBound,
          layers: layers
        ),
        at: 0
      )
    } else if let unit = self.line(in: content, around: target.range) {
      // Events and lines of NDJSON likewise.
      parts.append(
        ValueTrace.Part(
          bytes: content.slice(unit),
          context: context,
          base: unit.lowerBound,
          layers: layers
        )
      )
    }
    return parts
  }

  /// The message that holds a range, without its prefix of five bytes.
  private static func message(in content: Bytes, around range: Range<Int>) -> Range<Int>? {
    var start = 0
    while start + 5 <= content.count {
      let length = (1...4).reduce(0) { $0 << 8 | Int(content[start + $1]) }
      let end = start + 5 + length
      guard end <= content.count else { return nil }
      if range.lowerBound >= start + 5, range.upperBound <= end { return start + 5..<end }
      start = end
    }
    return nil
  }

  private static func line(in content: Bytes, around range: Range<Int>) -> Range<Int>? {
    guard range.lowerBound >= 0, range.upperBound <= content.count else { return nil }
    let array = content.array
    let start = array[..<range.lowerBound].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let end = array[range.upperBound...].firstIndex(of: 0x0A) ?? array.count
    guard start > 0 || end < array.count else { return nil }
    return start..<end
  }
}
