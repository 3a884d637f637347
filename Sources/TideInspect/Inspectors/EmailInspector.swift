import TideCore

/// Finds mail addresses that are in no profile, with `@` plain or as `%40`.
struct EmailInspector: Inspector {
  static let id = "email"
  let interest = Interest.everything
  let maxMatchLength = Self.longestLocal + 3 + Self.longestDomain
  let trigger: Trigger? = Trigger(
    anyOf: [["@"], ["%", "4", "0"]].map { (sign: [ByteSet]) in
      // A domain has four bytes at least: `a.bc`.
      [Self.localBytes] + sign + [Self.labelBytes]
        + [ByteSet](repeating: Self.domainBytes, count: 3)
    }
  )

  private static let localBytes = ByteSet.alphanumerics.union("._-+")
  private static let labelBytes = ByteSet.alphanumerics.union("-")
  private static let domainBytes = Self.labelBytes.union(".")

  /// RFC 5321 §4.5.3.1.1.
  private static let longestLocal = 64
  /// RFC 5321 allows 255; what people have is far below, and all of it would be held back.
  private static let longestDomain = 100

  private static let names = [
    "email", "mail", "emails", "mailto", "emailaddress", "account", "user", "username", "login",
    "uid", "userid", "contact", "from", "to", "recipient", "sender",
  ]
  /// Last labels that are file names' endings, as in `icon@2x.png`, or reserved for examples.
  private static let notDomains = [
    "png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "json", "html", "xml", "invalid",
    "local", "localhost",
  ]
  /// Addresses of a role, which are nobody's (RFC 2142 and custom).
  private static let roles: Set<String> = [
    "abuse", "admin", "administrator", "billing", "careers", "contact", "customer",
    "customerservice", "donotreply", "enquiries", "feedback", "git", "hello", "help", "helpdesk",
    "hostmaster", "hr", "info", "inquiries", "jobs", "legal", "mailer-daemon", "marketing", "media",
    "news", "newsletter", "no-reply", "no_reply", "noc", "noreply", "notifications", "office",
    "postmaster", "press", "privacy", "root", "sales", "security", "service", "services", "support",
    "team", "webmaster",
  ]

  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    window.bytes.withSpan { span in
      for at in window.starts.lowerBound..<span.count {
        let sign = span[at]
        if sign == 0x40 {
          Self.report(window, span, at..<at + 1, &sink)
        } else if sign == 0x25, at + 2 < span.count, span[at + 1] == 0x34, span[at + 2] == 0x30 {
          Self.report(window, span, at..<at + 3, &sink)
        }
      }
    }
  }

  private static func report(
    _ window: borrowing Window,
    _ span: Span<UInt8>,
    _ sign: Range<Int>,
    _ sink: inout FindingSink
  ) {
    guard let start = self.localStart(span, sign.lowerBound),
      let end = self.domainEnd(span, sign.upperBound)
    else { return }
    let local = window.bytes.slice(start..<sign.lowerBound)
    let domain = window.bytes.slice(sign.upperBound..<end)
    guard !self.roles.contains(local.text.lowercased()) else { return }
    let isNamed = window.names(at: start).include(self.names)
    // What a server writes is full of addresses of authors and companies.
    if !isNamed, window.direction == .response { return }
    sink.report(
      .email,
      isNamed ? .likely : .possible,
      at: start..<end,
      value: Bytes((local.array + [0x40] + domain.array).map(ASCII.lowercased))
    )
  }

  /// Where the local part begins; nil if it is empty, too long or not one.
  private static func localStart(_ span: Span<UInt8>, _ end: Int) -> Int? {
    var start = end
    while start > 0, end - start <= self.longestLocal, self.isLocal(span[start - 1]) { start -= 1 }
    if start > 0, span[start - 1] == 0x25, end - start >= 2, ASCII.hexValue(span[start]) != nil,
      ASCII.hexValue(span[start + 1]) != nil
    {
      start += 2  // the end of an escape: `%22name@…`
    }
    while start < end, span[start] == 0x2E { start += 1 }
    guard start < end, end - start <= self.longestLocal, span[end - 1] != 0x2E else { return nil }
    return start
  }

  /// Where the domain ends; nil unless it has two labels and the last is of letters.
  private static func domainEnd(_ span: Span<UInt8>, _ start: Int) -> Int? {
    var end = start
    var lastDot: Int?
    while end < span.count, end - start <= self.longestDomain {
      let byte = span[end]
      if byte == 0x2E {
        guard end > start, span[end - 1] != 0x2E, end + 1 < span.count,
          self.isAlphanumeric(span[end + 1])
        else { break }
        lastDot = end
      } else if !self.isAlphanumeric(byte), byte != 0x2D {
        break
      }
      end += 1
    }
    guard let lastDot, end - start <= self.longestDomain, (2...24).contains(end - lastDot - 1)
    else { return nil }
    var last = ""
    for index in lastDot + 1..<end {
      let letter = ASCII.lowercased(span[index])
      guard letter &- 0x61 < 26 else { return nil }
      last.unicodeScalars.append(Unicode.Scalar(letter))
    }
    return self.notDomains.contains(last) ? nil : end
  }

  private static func isLocal(_ byte: UInt8) -> Bool {
    // RFC 5322 §3.2.3 atext, less what delimits in URLs, forms and JSON.
    self.isAlphanumeric(byte) || byte == 0x2E || byte == 0x5F || byte == 0x2D || byte == 0x2B
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }
}
