public import TideCore

extension HeadRewrite {
  /// The codings that an inspected response may have (RFC 9110 §8.4.1); more are not taken off.
  private static let readable: [StaticString] = ["gzip", "x-gzip", "deflate", "identity"]

  /// A request's head that asks for no content coding but those that inspection takes off.
  ///
  /// For rules that have to read the response: one in another coding could only be stopped. A request for
  /// an event stream asks for none, since its events could not be told apart in one. A request without
  /// Accept-Encoding (RFC 9110 §12.5.3) stays as it is.
  public static func acceptingReadable(_ head: MessageHead) -> MessageHead {
    let fields = head.fields
    let isEventStream = fields.all("accept").contains { value in
      ListElements(value).contains { Self.word(of: $0).isText("text/event-stream") }
    }
    var narrowed = head
    for index in fields.slots.indices where fields.isNamed("accept-encoding", at: index) {
      var kept = Bytes()
      for element in ListElements(fields.value(at: index)) where !isEventStream {
        let word = Self.word(of: element)
        guard self.readable.contains(where: word.isText) else { continue }
        if !kept.isEmpty { kept.append(", ") }
        kept.append(element)
      }
      let value = kept.isEmpty ? Bytes("identity") : kept
      if value != fields.value(at: index) { narrowed.fields.replaceValue(at: index, with: value) }
    }
    return narrowed
  }

  /// An element without its parameters.
  private static func word(of element: Bytes) -> Bytes {
    let end = element.firstIndex { $0 == Octet.semicolon || Octet.isBlank($0) } ?? element.count
    return element.slice(0..<end)
  }
}
