import TideCore
import TideCrypto
import TideHTTP

/// What a device says of itself before the proxy serves it (RFC 9110 §11.7).
extension ConnectionMachine {
  /// How long a check may take, its turn in the queue included.
  private static let authenticationTime: UInt64 = 10_000_000_000

  /// Whether the device that sent the head at the front of `requestParts` may use the proxy.
  ///
  /// If not, either the check is under way (`authenticated` goes on with the request) or a `407` is
  /// queued. Credentials that were accepted on this connection are not checked again.
  func isAuthenticated(_ head: MessageHead) -> Bool {
    guard !self.isOwn, let authentication = self.context.authentication else { return true }
    let values = head.fields.all("proxy-authorization")
    guard let value = values.first else {
      self.challenge(head, authentication, "no credentials for the proxy")
      return false
    }
    guard values.count == 1, let credentials = ProxyCredentials(field: value) else {
      self.challenge(head, authentication, "credentials for the proxy that cannot be read")
      return false
    }
    if value == self.acceptedCredentials { return true }
    if case (.basic, .bearer) = (authentication.scheme, credentials) {
      self.challenge(head, authentication, "a token where a user and a password are asked for")
      return false
    }
    // A way that was made for whoever this connection was before is not for whoever it is now.
    self.closeUpstream(.afterFlush)
    self.route = nil
    self.stage = .authenticating(since: self.now.instant)
    self.pause(.down, .waiting)
    self.commands.append(.authenticate(credentials))
    return false
  }

  /// Goes on after a check; an answer that comes when nobody waits for it any more says nothing.
  func authenticated(_ credentials: ProxyCredentials, _ user: String?) {
    guard case .authenticating = self.stage, case .head(let head)? = self.requestParts.first,
      let value = head.fields.first("proxy-authorization"),
      ProxyCredentials(field: value) == credentials
    else { return }
    guard let user else {
      // A reload that ends authentication leaves nothing to ask for, but does not make these right.
      self.challenge(
        head,
        self.context.authentication ?? ProxyAuthentication(scheme: .basic),
        self.refusal(of: credentials)
      )
      return
    }
    self.acceptedCredentials = Bytes(Array(value))  // a slice would keep the whole head alive
    self.device = self.context.device(ofUser: user)
    self.stage = .awaitingRequest(since: self.now.instant)
    self.resume(.down, .waiting)
  }

  /// Gives up a check that has its turn too late: too many others are under way.
  func tickAuthenticating(since: Instant) {
    guard self.now.instant.nanoseconds(since: since) > Self.authenticationTime else { return }
    let failure = FlowFailure(
      .overLimit,
      origin: .internal,
      detail: "the credentials could not be checked in time"
    )
    guard case .head(let head)? = self.requestParts.first else {
      self.finish(failure)
      return
    }
    self.answer(failure, authority: nil, rule: nil, to: head)
  }

  /// Answers `407` and ends the connection; devices come back on a new one.
  private func challenge(
    _ head: MessageHead,
    _ authentication: ProxyAuthentication,
    _ detail: String
  ) {
    let failure = FlowFailure(.authenticationRequired, origin: .downstream, detail: detail)
    let page = self.context.page(
      for: Notice(
        status: failure.status,
        failure: failure,
        rule: nil,
        ruleDescription: "",
        authority: "",
        region: nil,
        fields: head.fields
      )
    )
    let answer = LocalResponse(
      status: page.status,
      fields: page.fields + authentication.challenges,
      body: page.body
    )
    self.send(answer, toHead: head.method == "HEAD", closing: true)
    self.drain(failure)
  }

  /// Names the user, never the password; no user where either of the two may be a token.
  private func refusal(of credentials: ProxyCredentials) -> String {
    switch (self.context.authentication?.scheme, credentials) {
    case (.basic, .basic(let user, _)):
      let name = user.slice(0..<min(user.count, 64)).text.unicodeScalars.map { scalar in
        scalar.properties.generalCategory == .control ? "\u{FFFD}" : Character(scalar)
      }
      return "the user \"\(String(name))\" or the password is not right"
    case (.basic, .bearer), (.tokens, .basic), (.tokens, .bearer), (nil, .basic), (nil, .bearer):
      return "a token that is nobody's"
    }
  }
}

extension ProxyAuthentication {
  /// What the device is asked for; a phone's dialog, which knows only Basic, takes a token as password.
  var challenges: [(String, String)] {
    let basic = ("Proxy-Authenticate", "Basic realm=\"Tidewaiter\", charset=\"UTF-8\"")
    switch self.scheme {
    case .basic: return [basic]
    case .tokens: return [basic, ("Proxy-Authenticate", "Bearer realm=\"Tidewaiter\"")]
    }
  }
}

extension ProxyCredentials {
  /// The most bytes of a field's value that are looked at.
  private static let fieldLimit = 4 << 10

  /// Reads the value of Proxy-Authorization; nil if it is neither Basic nor Bearer, or not whole.
  ///
  /// Basic is base64 of user, colon, password (RFC 7617 §2): neither has control characters, and the
  /// user no colon. Bearer is a token68 (RFC 6750 §2.1).
  init?(field: Bytes) {
    guard field.count <= Self.fieldLimit, let space = field.firstIndex(of: 0x20) else { return nil }
    let scheme = field.slice(0..<space)
    var start = space
    while start < field.count, field[start] == 0x20 { start += 1 }
    let text = field.dropping(first: start)
    guard !text.isEmpty else { return nil }
    if ASCII.equalsIgnoringCase(scheme, "basic".utf8) {
      guard let decoded = Base64.standard.decode(text).map({ Bytes($0) }),
        !decoded.contains(where: { $0 < 0x20 || $0 == 0x7F }),
        let colon = decoded.firstIndex(of: 0x3A)
      else { return nil }
      self = .basic(
        user: decoded.slice(0..<colon),
        password: decoded.dropping(first: colon + 1)
      )
    } else if ASCII.equalsIgnoringCase(scheme, "bearer".utf8) {
      guard Self.isToken68(text) else { return nil }
      self = .bearer(text)
    } else {
      return nil
    }
  }

  /// Letters, digits and `-._~+/`, then any number of `=` (RFC 9110 §11.2).
  private static func isToken68(_ text: Bytes) -> Bool {
    let end = text.firstIndex(of: 0x3D) ?? text.count
    return end > 0 && text.dropping(first: end).allSatisfy { $0 == 0x3D }
      && text.slice(0..<end).allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || "-._~+/".utf8.contains(byte)
      }
  }
}

extension MessageHead {
  /// The head as records keep it: as it came, but for the credentials, each byte of which is a `*`.
  ///
  /// They are the operator's own secret and say nothing of the device; lengths and positions stand.
  var recordable: Bytes {
    guard self.fields.firstIndex(named: "proxy-authorization") != nil else { return self.raw }
    let name = Array("proxy-authorization:".utf8)
    var text = self.raw.array
    var lineStart = 0
    while lineStart < text.count {
      let lineEnd = text[lineStart...].firstIndex(of: 0x0A) ?? text.count
      if lineEnd - lineStart >= name.count,
        ASCII.equalsIgnoringCase(text[lineStart..<lineStart + name.count], name)
      {
        for index in lineStart + name.count..<lineEnd where text[index] > 0x20 {
          text[index] = 0x2A
        }
      }
      lineStart = lineEnd + 1
    }
    return Bytes(text)
  }
}
