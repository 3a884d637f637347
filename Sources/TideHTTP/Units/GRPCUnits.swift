import TideCore

/// Where gRPC messages begin and end.
struct GRPCUnits {
  /// The beginning of a prefix, at most four bytes.
  private(set) var held = Bytes()
  /// What is still to come of the message whose prefix was last.
  private var remaining = 0
  private var isCompressed = false

  var isBetweenUnits: Bool { self.remaining == 0 && self.held.isEmpty }

  /// Cuts `bytes`; returns what is no message any more, from a malformed prefix on.
  mutating func receive(_ bytes: Bytes, _ pieces: inout [UnitPiece]) -> Bytes? {
    var start = 0
    while start < bytes.count {
      if self.remaining > 0 {
        let end = start + min(self.remaining, bytes.count - start)
        self.remaining -= end - start
        pieces.append(
          UnitPiece(
            bytes: bytes.slice(start..<end),
            isCompressed: self.isCompressed,
            endsUnit: self.remaining == 0
          )
        )
        start = end
        continue
      }
      let end = min(bytes.count, start + GRPCPrefix.byteCount - self.held.count)
      self.held.append(bytes.slice(start..<end))
      start = end
      guard self.held.count == GRPCPrefix.byteCount else {
        // A copy, so that a few bytes do not keep a whole read alive.
        self.held = Bytes(self.held.array)
        return nil
      }
      guard let prefix = GRPCPrefix(self.held) else {
        var rest = self.held
        rest.append(bytes.dropping(first: start))
        return rest
      }
      self.remaining = Int(prefix.length)
      self.isCompressed = prefix.isCompressed
      pieces.append(
        UnitPiece(
          bytes: self.held,
          kind: .prefix(prefix),
          isCompressed: prefix.isCompressed,
          endsUnit: prefix.length == 0
        )
      )
      self.held = Bytes()
    }
    return nil
  }
}
