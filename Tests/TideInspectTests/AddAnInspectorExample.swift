import TideCore
import TideInspect

/// Finds the tickets of a fictitious help desk, `TW-` and six digits, in what a device sends.
struct ExampleTicketInspector: Inspector {
  static let id = "example_ticket"

  /// In requests only: a server may well tell a device its ticket.
  let interest = Interest(directions: [.request])
  let maxMatchLength = 9
  let trigger: Trigger? = Trigger(["T", "W", "-"] + [ByteSet](repeating: .digits, count: 6))

  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    window.bytes.withSpan { span in
      for start in window.starts where start + 9 <= span.count {
        guard span[start] == 0x54, span[start + 1] == 0x57, span[start + 2] == 0x2D else {
          continue
        }
        guard (start + 3..<start + 9).allSatisfy({ ASCII.isDigit(span[$0]) }) else { continue }
        // One byte of context: a seventh digit makes it something else.
        if start + 9 < span.count, ASCII.isDigit(span[start + 9]) { continue }
        let isNamed = window.names(at: start).include(["ticket", "ticketid"])
        sink.report(
          FindingKind("example_ticket"),
          isNamed ? .likely : .possible,
          at: start..<start + 9,
          value: window.bytes.slice(start..<start + 9)
        )
      }
    }
  }
}
