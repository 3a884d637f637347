public import TideCore

extension HeadRewrite {
  /// The head as the codec would send it, blank line included, for records.
  ///
  /// - Throws: `.unsendable` for a head that could not be sent.
  public static func serialised(_ head: MessageHead) throws(HTTPFailure) -> Bytes {
    var output: [UInt8] = []
    if head.version == .http2 {
      try HeadWriter.check(head.fields)
      for (name, value) in self.pseudoFields(head) {
        output += Array(name.utf8) + [Octet.colon, Octet.space] + value.array + HeadWriter.lineEnd
      }
      HeadWriter.writeLines(head.fields, &output)
      output += HeadWriter.lineEnd
      return Bytes(output)
    }
    try HeadWriter.write(head, &output)
    return Bytes(output)
  }

  /// The pseudo-fields of an HTTP/2 head, those that it has (RFC 9113 §8.3).
  private static func pseudoFields(_ head: MessageHead) -> [(String, Bytes)] {
    switch head.start {
    case .response(let status, _): return [(":status", Bytes(String(status)))]
    case .request(let method, let target):
      let pseudo = head.pseudo
      let all: [(String, Bytes?)] = [
        (":method", method), (":scheme", pseudo?.scheme), (":authority", pseudo?.authority),
        (":path", target), (":protocol", pseudo?.protocolName),
      ]
      return all.compactMap { name, value in value.map { (name, $0) } }
    }
  }
}
