import TideCore

/// The runs of ASCII digits in a window.
enum DigitRuns {
  /// How far back of a window's first start a run is followed: longer ones are no identifier.
  private static let reach = 24
  /// The fewest digits that anybody asks for; one trigger for all, so that it is looked for once.
  static let trigger = Trigger([ByteSet](repeating: .digits, count: 15))

  /// Calls `body` with the bytes and each whole run of `count` digits.
  ///
  /// The two digits of a percent-escape before a run (`%22490154203237518`) do not belong to it.
  static func forEach(
    _ window: borrowing Window,
    count: ClosedRange<Int>,
    _ body: (Span<UInt8>, Range<Int>) -> Void
  ) {
    window.bytes.withSpan { span in
      var index = max(0, window.starts.lowerBound - self.reach)
      // A run that begins still further back belongs to an earlier window, if to any.
      if index > 0, ASCII.isDigit(span[index - 1]) { self.skip(span, &index) }
      while index < span.count {
        guard ASCII.isDigit(span[index]) else {
          index += 1
          continue
        }
        var start = index
        self.skip(span, &index)
        if start > 0, span[start - 1] == 0x25, index - start > 4 {
          let isTwice = span[start] == 0x32 && span[start + 1] == 0x35
          start += isTwice ? 4 : 2
        }
        if count.contains(index - start) { body(span, start..<index) }
      }
    }
  }

  private static func skip(_ span: Span<UInt8>, _ index: inout Int) {
    while index < span.count, ASCII.isDigit(span[index]) { index += 1 }
  }
}
