import TideCore

/// Writes heads and trailer sections (RFC 9112 §3 to §5), each field in the bytes it came in.
///
/// What it writes is checked once more: a value may be a rewrite's, and a line end in one would be a
/// second message.
enum HeadWriter {
  static let lineEnd: [UInt8] = [0x0D, 0x0A]
  static let lastChunk: [UInt8] = [0x30, 0x0D, 0x0A]
  private static let separator: [UInt8] = [0x3A, 0x20]
  private static let version10 = Array("HTTP/1.0".utf8)
  private static let version11 = Array("HTTP/1.1".utf8)

  /// Adds `head` to `output`, which on failure is as it was.
  static func write(_ head: MessageHead, _ output: inout [UInt8]) throws(HTTPFailure) {
    try self.check(head.start)
    try self.check(head.fields)
    output.reserveRoom(head.fields.buffer.count + 64)
    let version = head.version == .http10 ? self.version10 : self.version11
    switch head.start {
    case .request(let method, let target):
      output.append(contentsOf: method)
      output.append(Octet.space)
      output.append(contentsOf: target)
      output.append(Octet.space)
      output.append(contentsOf: version)
    case .response(let status, let reason):
      output.append(contentsOf: version)
      output.append(Octet.space)
      for digit in [status / 100, status / 10 % 10, status % 10] {
        output.append(0x30 + UInt8(digit))
      }
      output.append(Octet.space)
      output.append(contentsOf: reason)
    }
    output.append(contentsOf: self.lineEnd)
    self.writeLines(head.fields, &output)
    output.append(contentsOf: self.lineEnd)
  }

  /// Adds the lines of fields that `check` has passed.
  ///
  /// Fields that lie in the buffer as they have to be written go out together, in one copy: all of
  /// them, if nothing was dropped.
  static func writeLines(_ fields: HeaderFields, _ output: inout [UInt8]) {
    let slots = fields.slots
    let buffer = fields.buffer
    var index = 0
    while index < slots.count {
      let start = slots[index].name.lowerBound
      var end = start
      buffer.withSpan { span in
        while index < slots.count, slots[index].name.lowerBound == end,
          let lineEnd = self.endOfLine(slots[index], in: span)
        {
          end = lineEnd
          index += 1
        }
      }
      if end > start {
        output.append(contentsOf: buffer.slice(start..<end))
      } else {
        output.append(contentsOf: buffer.slice(slots[index].name))
        output.append(contentsOf: self.separator)
        output.append(contentsOf: buffer.slice(slots[index].value))
        output.append(contentsOf: self.lineEnd)
        index += 1
      }
    }
  }

  /// Adds a chunk's size line (RFC 9112 §7.1).
  static func writeSizeLine(_ count: Int, _ output: inout [UInt8]) {
    var shift = (Int.bitWidth - count.leadingZeroBitCount + 3) / 4 * 4
    while shift > 0 {
      shift -= 4
      let digit = UInt8(count >> shift & 0x0F)
      output.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
    output.append(contentsOf: self.lineEnd)
  }

  /// Refuses fields that would not be read as they were meant.
  static func check(_ fields: HeaderFields) throws(HTTPFailure) {
    let slots = fields.slots
    let illegal = fields.buffer.withSpan { span in
      slots.firstIndex { slot in
        slot.name.isEmpty || !Self.isToken(span.extracting(slot.name))
          || !Self.isFieldText(span.extracting(slot.value))
      }
    }
    if let illegal {
      throw HTTPFailure(.unsendable, "an illegal field", quoting: fields.name(at: illegal))
    }
  }

  private static func check(_ start: StartLine) throws(HTTPFailure) {
    switch start {
    case .request(let method, let target):
      guard (1...RequestLine.maxMethod).contains(method.count), method.withSpan(self.isToken),
        !target.isEmpty, target.withSpan(self.isTargetText)
      else { throw HTTPFailure(.unsendable, detail: "an illegal request line") }
    case .response(let status, let reason):
      guard 100...999 ~= status, reason.withSpan(self.isFieldText) else {
        throw HTTPFailure(.unsendable, detail: "an illegal status line")
      }
    }
  }

  /// The end of the line in which `slot` lies as `name ":" OWS value CRLF`; nil if it does not.
  private static func endOfLine(_ slot: HeaderFields.Slot, in span: Span<UInt8>) -> Int? {
    let end = slot.value.upperBound + 2
    guard slot.name.upperBound < slot.value.lowerBound, end <= span.count,
      span[slot.name.upperBound] == Octet.colon, span[end - 2] == Octet.carriageReturn,
      span[end - 1] == Octet.lineFeed
    else { return nil }
    for at in slot.name.upperBound + 1..<slot.value.lowerBound where !Octet.isBlank(span[at]) {
      return nil
    }
    return end
  }

  private static func isToken(_ span: Span<UInt8>) -> Bool {
    for at in span.indices where !Octet.isToken(span[at]) { return false }
    return true
  }

  private static func isFieldText(_ span: Span<UInt8>) -> Bool {
    span.endOfFieldText(from: 0) == span.count
  }

  private static func isTargetText(_ span: Span<UInt8>) -> Bool {
    span.endOfTargetText(from: 0) == span.count
  }
}

extension [UInt8] {
  /// Makes room for `count` more bytes, at least doubling: room made exactly would be copied each time.
  fileprivate mutating func reserveRoom(_ count: Int) {
    guard self.capacity - self.count < count else { return }
    self.reserveCapacity(Swift.max(self.count + count, self.capacity * 2))
  }
}
