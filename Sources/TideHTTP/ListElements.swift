import TideCore

/// The elements of a comma-separated list (RFC 9110 §5.6.1), trimmed, the empty ones left out.
///
/// Made for lists of tokens: a comma inside a quoted string separates like any other.
struct ListElements: Sequence, IteratorProtocol {
  private let value: Bytes
  private var position = 0

  init(_ value: Bytes) { self.value = value }

  mutating func next() -> Bytes? {
    while self.position < self.value.count {
      let element = self.value.withSpan { span in
        var end = self.position
        while end < span.count, span[end] != Octet.comma { end += 1 }
        var range = self.position..<end
        while let first = range.first, Octet.isBlank(span[first]) { range = first + 1..<end }
        while let last = range.last, Octet.isBlank(span[last]) { range = range.lowerBound..<last }
        self.position = end + 1
        return range
      }
      if !element.isEmpty { return self.value.slice(element) }
    }
    return nil
  }
}

extension Bytes {
  /// Whether the bytes equal `text` (given in lower case) without regard to ASCII case.
  func isText(_ text: StaticString) -> Bool {
    guard self.count == text.utf8CodeUnitCount else { return false }
    return self.withSpan { span in
      text.withUTF8Buffer { wanted in
        for offset in 0..<span.count
        where ASCII.lowercased(span[offset]) != (unsafe wanted[offset]) {
          return false
        }
        return true
      }
    }
  }
}
