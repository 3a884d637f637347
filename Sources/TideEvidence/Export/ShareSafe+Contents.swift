internal import TideCore
internal import TideCrypto

/// Heads and contents with placeholders for what must not be handed on.
extension ShareSafe {
  /// Fields whose values are credentials or stand for a person, whatever they hold.
  private static let credentialWords = [
    "authorization", "token", "secret", "session", "api-key", "apikey", "signature", "csrf", "xsrf",
    "passw", "credential",
  ]
  /// Fields that say how a message is framed or coded.
  private static let framing = [
    "content-length", "content-encoding", "transfer-encoding", "connection", "upgrade",
    "sec-websocket-version", "sec-websocket-extensions", "accept-encoding",
  ]

  /// A head, or a trailer section, which has no start line.
  func scrubbed(
    head: Bytes,
    of flow: FlowID,
    _ direction: Direction,
    isTrailer: Bool
  ) -> Bytes {
    guard !head.isEmpty else { return head }
    let isWithheld = self.withheld[flow.number]?.contains(.head(direction)) == true
    var result: [UInt8] = []
    for (index, part) in head.split(separator: 0x0A).enumerated() {
      let text = String(decoding: part.last == 0x0D ? part.dropLast() : part, as: UTF8.self)
      if text.isEmpty { continue }
      let isHTTP2 = text.hasPrefix(":")
      let line: String?
      if index == 0, !isHTTP2, !isTrailer {
        line = self.startLine(text, direction, isWithheld: isWithheld)
      } else if isHTTP2 {
        line = self.pseudoField(text, isWithheld: isWithheld)
      } else {
        line = isWithheld ? nil : self.field(text)
      }
      if let line { result += Array((line + "\r\n").utf8) }
    }
    return Bytes(result + [0x0D, 0x0A])
  }

  private func startLine(_ line: String, _ direction: Direction, isWithheld: Bool) -> String {
    let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard words.count > 1 else { return self.text(line) }
    var shown = words.map { self.text(String($0)) }
    switch direction {
    case .request: shown[1] = isWithheld ? "/%5Bwithheld%5D" : self.url(String(words[1]))
    case .response:
      if isWithheld { shown = Array(shown.prefix(2)) }
    }
    return shown.joined(separator: " ")
  }

  private func pseudoField(_ line: String, isWithheld: Bool) -> String {
    if line.hasPrefix(":path:") {
      let path = String(line.dropFirst(6).drop { $0 == " " })
      return ":path: " + (isWithheld ? "/%5Bwithheld%5D" : self.url(path))
    }
    if line.hasPrefix(":authority:") {
      return ":authority: "
        + self.scrubber.scrub(String(line.dropFirst(11).drop { $0 == " " }), .host)
    }
    return line
  }

  private func field(_ line: String) -> String {
    guard let colon = line.firstIndex(of: ":") else { return self.text(line) }
    let name = line[..<colon].lowercased()
    let shown = self.scrubber.scrub(String(line[..<colon]), .host)
    let value = String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
    if Self.framing.contains(name) { return line }
    switch name {
    case "host": return "\(shown): \(self.scrubber.scrub(value, .host))"
    case "cookie":
      let pairs = value.split(separator: ";").map { self.cookie($0) }
      return "\(shown): \(pairs.joined(separator: "; "))"
    case "set-cookie":
      var parts = value.split(separator: ";").map(String.init)
      if let first = parts.first { parts[0] = self.cookie(first[...]) }
      return "\(shown): "
        + ([parts.first ?? ""] + parts.dropFirst().map { self.text($0) })
        .joined(separator: ";")
    case "referer", "location", "origin", "content-location":
      return "\(shown): \(self.url(value))"
    default:
      guard Self.credentialWords.contains(where: { name.contains($0) }) else {
        return "\(shown): \(self.text(value))"
      }
      // The scheme stays (RFC 9110 §11.6.2): `Bearer [credential#…]`.
      let words = value.split(separator: " ", maxSplits: 1)
      let secret = self.scrubber.tag("credential", (words.last ?? "").utf8).text(.plain)
      return "\(shown): " + (words.count == 2 ? "\(words[0]) \(secret)" : secret)
    }
  }

  /// A cookie by its name; its value is one person's, whatever it is.
  private func cookie(_ pair: Substring) -> String {
    let parts = pair.drop { $0 == " " }.split(
      separator: "=",
      maxSplits: 1,
      omittingEmptySubsequences: false
    )
    let name = self.text(String(parts.first ?? ""))
    guard parts.count == 2 else { return name }
    return "\(name)=" + self.scrubber.tag("cookie", parts[1].utf8).text(.plain)
  }

  /// A content: its text with placeholders, or one placeholder for the whole.
  ///
  /// What is no text is withheld whole: a value in it could be in any form.
  func scrubbed(
    _ content: ExportContent,
    of flow: FlowID,
    _ direction: Direction,
    type: String
  ) throws(EvidenceFailure) -> Bytes {
    let survey = try content.survey(limit: Self.longestContent)
    if self.withheld[flow.number]?.contains(.content(direction)) == true {
      return "[withheld]"
    }
    switch survey {
    case .empty: return Bytes()
    case .missing: return "[missing]"
    case .tooLarge: return "[withheld]"
    case .readable(_, isText: false, _): return "[binary]"
    case .readable(_, isText: true, let kept):
      var bytes = kept?.array ?? []
      if kept == nil {
        try content.forEachPiece { piece throws(EvidenceFailure) in
          bytes.append(contentsOf: piece)
        }
      }
      return Bytes(self.scrubber.scrub(bytes, Self.style(of: type, bytes)))
    }
  }

  private static func style(of type: String, _ bytes: [UInt8]) -> ShareSafeScrubber.Style {
    if type == "application/x-www-form-urlencoded" { return .url }
    let first = bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    return type.contains("json") || first == 0x7B || first == 0x5B ? .json : .plain
  }
}
