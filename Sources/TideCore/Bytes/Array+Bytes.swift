extension [UInt8] {
  /// Adds `bytes` at the end, in one copy.
  ///
  /// The general `append(contentsOf:)` would go through them one by one.
  @inlinable
  public mutating func append(contentsOf bytes: Bytes) {
    self.append(contentsOf: bytes.storage[bytes.start..<bytes.end])
  }
}
