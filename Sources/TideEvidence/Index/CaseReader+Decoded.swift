internal import TideCoding
public import TideCore

extension CaseReader {
  /// A message's content without its content codings (RFC 9110 §8.4.1), as far as it decodes.
  ///
  /// - Parameters:
  ///   - message: a message of this case with a body.
  ///   - limit: the most bytes of the content, and of what it decodes to.
  /// - Returns: the content; as it is if its coding is another one or it does not decode at all.
  /// - Throws: as `body(_:limit:)`.
  public func decodedBody(
    _ message: FlowDetail.Message,
    limit: Int = 64 << 20
  ) throws(EvidenceFailure) -> Bytes {
    guard let body = message.body else { return Bytes() }
    let content = try self.body(body.sha256, limit: limit)
    let coding = RawHead(message.head).first("content-encoding")
    return Self.decoded(content, coding, limit: limit)
  }

  static func decoded(_ content: Bytes, _ coding: String?, limit: Int) -> Bytes {
    guard let coding, let codings = ContentCoding.chain(Bytes(coding)), !codings.isEmpty else {
      return content
    }
    var decoder = ContentDecoder(
      codings,
      limits: DecodingLimits(decodedBytes: limit, ratio: 1_000)
    )
    var parts: [Bytes] = []
    do throws(CodingFailure) {
      try decoder.decode(content, &parts)
    } catch {
      // What was cut in recording decodes up to the cut, and that is worth showing.
      if parts.isEmpty { return content }
    }
    return Bytes(parts.flatMap(\.array))
  }
}
