import CNghttp2
import TideCore

/// Lays heads out as nghttp2 takes them: it copies them, and turns names into lower case.
extension HTTP2Codec {
  /// The name and value pairs of one head or trailer section, and room for their pseudo-fields' values.
  ///
  /// Its pointers are good only inside `withPairs`, and nothing reads them elsewhere.
  @safe struct Pairs {
    fileprivate var list: [nghttp2_nv] = unsafe []
    fileprivate var values: [UInt8] = []

    fileprivate mutating func removeAll() {
      unsafe self.list.removeAll(keepingCapacity: true)
      self.values.removeAll(keepingCapacity: true)
    }

    /// Adds a pseudo-field, whose value gets its place in memory only in `settle`.
    fileprivate mutating func append(_ name: StaticString, _ value: Bytes) {
      self.values.append(contentsOf: value)
      let name = unsafe UnsafeRawBufferPointer(
        start: name.utf8Start,
        count: name.utf8CodeUnitCount
      )
      unsafe self.list.append(
        nghttp2_nv(
          name: Self.pointer(name),
          value: nil,
          namelen: name.count,
          valuelen: value.count,
          flags: 0
        )
      )
    }

    fileprivate mutating func settle(_ values: UnsafeRawBufferPointer) {
      var start = 0
      for index in unsafe self.list.indices {
        let count = unsafe self.list[index].valuelen
        let value = unsafe UnsafeRawBufferPointer(rebasing: values[start..<start + count])
        unsafe self.list[index].value = Self.pointer(value)
        start += count
      }
    }

    fileprivate mutating func append(
      _ slot: HeaderFields.Slot,
      in buffer: UnsafeRawBufferPointer
    ) {
      unsafe self.list.append(
        nghttp2_nv(
          name: Self.pointer(UnsafeRawBufferPointer(rebasing: buffer[slot.name])),
          value: Self.pointer(UnsafeRawBufferPointer(rebasing: buffer[slot.value])),
          namelen: slot.name.count,
          valuelen: slot.value.count,
          flags: slot.isNeverIndexed ? UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) : 0
        )
      )
    }

    /// nghttp2 only reads there, although its type says that it could write.
    private static func pointer(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
      unsafe UnsafeMutablePointer(
        mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
      )
    }
  }

  /// Calls `body` with the pairs of a head that has been checked; they live for the call only.
  func withPairs(
    of head: MessageHead,
    _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Int32
  ) -> Int32 {
    var pairs = self.takePairs()
    switch head.start {
    case .request(let method, let target):
      pairs.append(":method", method)
      if let scheme = head.pseudo?.scheme { pairs.append(":scheme", scheme) }
      if let authority = head.pseudo?.authority { pairs.append(":authority", authority) }
      pairs.append(":path", target)
      if let name = head.pseudo?.protocolName { pairs.append(":protocol", name) }
    case .response(let status, _):
      let hundreds = 0x30 + UInt8(truncatingIfNeeded: status / 100)
      let tens = 0x30 + UInt8(truncatingIfNeeded: status / 10 % 10)
      let ones = 0x30 + UInt8(truncatingIfNeeded: status % 10)
      pairs.append(":status", Bytes([hundreds, tens, ones]))
    }
    return unsafe self.with(&pairs, head.fields, body)
  }

  /// Calls `body` with the pairs of trailers.
  func withPairs(
    of fields: HeaderFields,
    _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Int32
  ) -> Int32 {
    var pairs = self.takePairs()
    return unsafe self.with(&pairs, fields, body)
  }

  /// The room of the last head's pairs; a local variable costs no access check for each pair.
  private func takePairs() -> Pairs {
    var pairs = Pairs()
    swap(&pairs, &self.pairs)
    pairs.removeAll()
    return pairs
  }

  private func with(
    _ pairs: inout Pairs,
    _ fields: HeaderFields,
    _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Int32
  ) -> Int32 {
    let values = pairs.values
    let result = unsafe values.withUnsafeBytes { values in
      unsafe pairs.settle(values)
      return unsafe fields.buffer.withUnsafeBytes { buffer in
        for slot in fields.slots { unsafe pairs.append(slot, in: buffer) }
        return unsafe pairs.list.withUnsafeBufferPointer(body)
      }
    }
    swap(&pairs, &self.pairs)
    return result
  }
}
