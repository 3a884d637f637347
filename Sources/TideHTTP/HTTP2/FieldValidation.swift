import TideCore

/// What a head or trailer section must be, whichever way it goes (RFC 9113 §8.2 and §8.3, RFC 8441 §4).
///
/// | | refused |
/// | --- | --- |
/// | field name | empty; not a token; received in upper case |
/// | field value | NUL, CR, LF, other controls but HTAB; white space at an end |
/// | `connection` `proxy-connection` `keep-alive` `transfer-encoding` `upgrade` | always |
/// | `te` | anything but `trailers` |
/// | `content-length` | more than one; not a number |
/// | `host` | more than one; as `:authority`; another than `:authority` |
/// | `:method` | not a token; `CONNECT` without `:protocol` |
/// | `:scheme` | anything but `http` and `https` |
/// | `:authority` | empty; controls, space, not ASCII; `@` `/` `?` `#` `\`; missing and no `host` either |
/// | `:path` | not from `/`, but for `*` with OPTIONS; controls, space, `#` |
/// | `:protocol` | not a token; without CONNECT; not offered |
/// | `:status` | 101 |
/// | trailers | `content-length` `host` |
///
/// nghttp2's own checks are switched off: they drop some fields, and reset streams that are yet to be
/// answered.
struct FieldValidation {
  /// Whose head it is, and so what a refusal is called.
  enum Side {
    /// The peer's.
    case received
    /// Ours to send; upper case is allowed, since names are sent in lower case.
    case sent
  }

  let side: Side
  /// Whether `:protocol` was offered (RFC 8441 §3).
  var allowsExtendedConnect = false

  private func refusal(_ detail: String) -> HTTPFailure {
    switch self.side {
    case .received: HTTPFailure(.malformedHead, detail: detail)
    case .sent: HTTPFailure(.unsendable, detail: detail)
    }
  }

  // MARK: Heads

  func check(_ head: MessageHead) throws(HTTPFailure) {
    let host = try self.checkFields(head.fields, isTrailers: false)
    switch head.start {
    case .request(let method, let target):
      guard let pseudo = head.pseudo else { throw self.refusal("no pseudo-fields") }
      try self.checkRequest(method, target, pseudo, host: host)
    case .response(let status, _):
      // Switching protocols is not HTTP/2's (RFC 9113 §8.6).
      guard 100...999 ~= status, status != 101 else { throw self.refusal("status \(status)") }
    }
  }

  private func checkRequest(
    _ method: Bytes,
    _ target: Bytes,
    _ pseudo: PseudoFields,
    host: Bytes?
  ) throws(HTTPFailure) {
    guard (1...RequestLine.maxMethod).contains(method.count), method.withSpan(Self.isToken) else {
      throw self.refusal(":method is not a token")
    }
    let isConnect = AnsweredMethod(method) == .connect
    if let name = pseudo.protocolName {
      guard isConnect, self.allowsExtendedConnect, !name.isEmpty, name.withSpan(Self.isToken) else {
        throw self.refusal(":protocol was not offered, or has no CONNECT, or is not a token")
      }
    } else if isConnect {
      throw self.refusal("a CONNECT that is not for a protocol")
    }
    guard let scheme = pseudo.scheme, scheme.isExactly("https") || scheme.isExactly("http") else {
      throw self.refusal(":scheme is neither http nor https")
    }
    guard Self.isPath(target, method) else { throw self.refusal(":path is not a path") }
    guard let authority = pseudo.authority ?? host else {
      throw self.refusal("neither :authority nor host")
    }
    guard Self.isAuthority(authority) else { throw self.refusal("not a host and port") }
    guard host == nil || ASCII.equalsIgnoringCase(authority, host ?? authority) else {
      throw self.refusal("host is not :authority")
    }
  }

  // MARK: Fields

  func checkTrailers(_ fields: HeaderFields) throws(HTTPFailure) {
    _ = try self.checkFields(fields, isTrailers: true)
  }

  /// Checks each field, and returns Host's value.
  private func checkFields(
    _ fields: HeaderFields,
    isTrailers: Bool
  ) throws(HTTPFailure) -> Bytes? {
    var host: Range<Int>?
    var hasLength = false
    let slots = fields.slots
    try fields.buffer.withSpan { (span) throws(HTTPFailure) in
      for slot in slots {
        let name = span.extracting(slot.name)
        let value = span.extracting(slot.value)
        guard self.isName(name) else {
          throw self.refusal("not a field name: \(Self.quoted(name))")
        }
        guard Self.isValue(value) else {
          throw self.refusal("an illegal value of \(Self.quoted(name))")
        }
        switch name.count {
        case 2 where name.isText("te"):
          guard value.isText("trailers") else { throw self.refusal("te is not trailers") }
        case 4 where name.isText("host"):
          guard host == nil, !isTrailers else { throw self.refusal("a host too many") }
          host = slot.value
        case 7 where name.isText("upgrade"), 10 where name.isText("connection"),
          10 where name.isText("keep-alive"), 16 where name.isText("proxy-connection"),
          17 where name.isText("transfer-encoding"):
          throw self.refusal("a field for HTTP/1 connections: \(Self.quoted(name))")
        case 14 where name.isText("content-length"):
          guard !hasLength, !isTrailers, Self.isNumber(value) else {
            throw self.refusal("content-length twice, in trailers, or not a number")
          }
          hasLength = true
        default: break
        }
      }
    }
    return host.map { fields.buffer.slice($0) }
  }

  private func isName(_ name: Span<UInt8>) -> Bool {
    guard !name.isEmpty else { return false }
    let isOwn =
      switch self.side {
      case .received: false
      case .sent: true
      }
    for at in name.indices {
      let byte = name[at]
      guard Octet.isToken(byte), isOwn || byte &- 0x41 >= 26 else { return false }
    }
    return true
  }

  private static func isValue(_ value: Span<UInt8>) -> Bool {
    guard !value.isEmpty else { return true }
    return !Octet.isBlank(value[0]) && !Octet.isBlank(value[value.count - 1])
      && value.endOfFieldText(from: 0) == value.count
  }

  private static func isNumber(_ value: Span<UInt8>) -> Bool {
    guard !value.isEmpty else { return false }
    for at in value.indices where !ASCII.isDigit(value[at]) { return false }
    return true
  }

  private static func isToken(_ span: Span<UInt8>) -> Bool {
    for at in span.indices where !Octet.isToken(span[at]) { return false }
    return true
  }

  private static func isPath(_ path: Bytes, _ method: Bytes) -> Bool {
    path.withSpan { span in
      guard !span.isEmpty, span.endOfTargetText(from: 0) == span.count else { return false }
      guard span[0] == 0x2F else {
        return span.count == 1 && span[0] == 0x2A && method.isExactly("OPTIONS")
      }
      for at in span.indices where span[at] == 0x23 { return false }
      return true
    }
  }

  private static func isAuthority(_ authority: Bytes) -> Bool {
    authority.withSpan { span in
      guard !span.isEmpty else { return false }
      for at in span.indices {
        switch span[at] {
        // A server that cut at one of these would see another host than we do.
        case 0x23, 0x2F, 0x3F, 0x40, 0x5C: return false
        case 0x21...0x7E: continue
        default: return false
        }
      }
      return true
    }
  }

  private static func quoted(_ name: Span<UInt8>) -> String {
    "\"\(HTTPFailure.escaped((0..<min(name.count, 65)).map { name[$0] }))\""
  }
}

extension HTTP2Stream.Progress {
  /// What has to come after a final head that has been checked.
  ///
  /// - Throws: `.ambiguousFraming` or `.malformedHead` for a length that cannot be.
  static func after(
    _ head: MessageHead,
    answering method: AnsweredMethod?
  ) throws(HTTPFailure) -> HTTP2Stream.Progress {
    switch head.start {
    case .request:
      guard case .length(let length) = try BodyFraming.of(head, answering: .other) else {
        return .content(left: nil)
      }
      return .content(left: length)
    case .response:
      guard let method else { return .content(left: nil) }
      switch try BodyFraming.of(head, answering: method) {
      case .none: return .content(left: method == .connect ? nil : 0)
      case .length(let length): return .content(left: length)
      case .chunked, .untilClose: return .content(left: nil)
      }
    }
  }
}

extension Bytes {
  /// Whether the bytes are exactly `text`.
  func isExactly(_ text: StaticString) -> Bool { self.withSpan { $0.isExactly(text) } }
}

extension Span<UInt8> {
  /// Whether the octets are exactly `text`.
  func isExactly(_ text: StaticString) -> Bool {
    guard self.count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { wanted in
      for at in self.indices where self[at] != (unsafe wanted[at]) { return false }
      return true
    }
  }

  /// Whether the octets are `text` (given in lower case) without regard to ASCII case.
  func isText(_ text: StaticString) -> Bool {
    guard self.count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { wanted in
      for at in self.indices where ASCII.lowercased(self[at]) != (unsafe wanted[at]) {
        return false
      }
      return true
    }
  }
}
