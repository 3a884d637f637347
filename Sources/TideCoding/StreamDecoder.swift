internal import TideCore

/// What takes one coding off a body as it arrives.
///
/// After a failure it stays failed: half a body is no body.
protocol StreamDecoder: ~Copyable {
  /// Decodes the next bytes and adds what they yield to `output`.
  mutating func decode(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure)

  /// Says that no more bytes come.
  mutating func finish() throws(CodingFailure)

  /// Decoded bytes given so far.
  var decodedCount: Int { get }
}

extension StreamDecoder where Self: ~Copyable {
  /// Decodes a whole body and ends it: trailing bytes and a missing end both fail.
  mutating func decodeWhole(_ bytes: Bytes) throws(CodingFailure) -> Bytes {
    var pieces: [Bytes] = []
    try self.decode(bytes, &pieces)
    try self.finish()
    guard pieces.count != 1 else { return pieces[0] }
    var whole: [UInt8] = []
    whole.reserveCapacity(self.decodedCount)
    for piece in pieces { whole += piece }
    return Bytes(whole)
  }
}

extension GzipDecoder: StreamDecoder {}
