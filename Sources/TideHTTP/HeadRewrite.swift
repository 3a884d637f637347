public import TideCore

/// The changes that a proxy makes to a head before it goes on (RFC 9110 §7.6).
public enum HeadRewrite {
  /// The head without the fields that are meant for this hop only; all else as it was.
  ///
  /// Dropped are Connection, the fields it names, Keep-Alive, Proxy-Connection, Proxy-Authorization,
  /// Proxy-Authenticate, TE unless it only says `trailers`, Upgrade and HTTP2-Settings; of a response
  /// also Alt-Svc, which would lead the client around us. Transfer-Encoding and Trailer stay, since
  /// chunked goes out as chunked. `raw` stays what came over the wire.
  ///
  /// With `keepsUpgrade`, for the two heads that make a WebSocket, Upgrade stays, and Connection as well,
  /// which has to name it (RFC 9110 §7.8).
  public static func forwardable(
    _ head: MessageHead,
    direction: Direction,
    keepsUpgrade: Bool = false
  ) -> MessageHead {
    let fields = head.fields
    let options = self.connectionOptions(fields)
    var kept = fields
    kept.removeAll { index in
      if keepsUpgrade,
        fields.isNamed("upgrade", at: index) || fields.isNamed("connection", at: index)
      {
        return false
      }
      if self.isHopByHop(fields, index, direction) { return true }
      guard !options.isEmpty else { return false }
      let name = fields.name(at: index)
      return options.contains(self.lowercased(name)) && !self.isEssential(name)
    }
    guard kept.slots.count < fields.slots.count else { return head }
    var forwarded = head
    forwarded.fields = kept
    return forwarded
  }

  /// The head of a request with another target; a response as it was.
  public static func withTarget(_ head: MessageHead, _ target: Bytes) -> MessageHead {
    guard case .request(let method, _) = head.start else { return head }
    return MessageHead(
      start: .request(method: method, target: target),
      version: head.version,
      fields: head.fields,
      raw: head.raw,
      pseudo: head.pseudo
    )
  }

  private static func isHopByHop(
    _ fields: HeaderFields,
    _ index: Int,
    _ direction: Direction
  ) -> Bool {
    switch fields.slots[index].name.count {
    case 2: fields.isNamed("te", at: index) && !fields.value(at: index).isText("trailers")
    case 7:
      fields.isNamed("upgrade", at: index)
        || direction == .response && fields.isNamed("alt-svc", at: index)
    case 10: fields.isNamed("connection", at: index) || fields.isNamed("keep-alive", at: index)
    case 14: fields.isNamed("http2-settings", at: index)
    case 16: fields.isNamed("proxy-connection", at: index)
    case 18: fields.isNamed("proxy-authenticate", at: index)
    case 19: fields.isNamed("proxy-authorization", at: index)
    default: false
    }
  }

  /// The fields that Connection names, in lower case; `close` and `keep-alive` are no fields.
  ///
  /// Nearly always empty. A set, since a head has room for thousands of them.
  private static func connectionOptions(_ fields: HeaderFields) -> Set<Bytes> {
    var options: Set<Bytes> = []
    for index in fields.slots.indices where fields.isNamed("connection", at: index) {
      for option in ListElements(fields.value(at: index))
      where !option.isText("close") && !option.isText("keep-alive") {
        options.insert(self.lowercased(option))
      }
    }
    return options
  }

  private static func lowercased(_ name: Bytes) -> Bytes { Bytes(name.map(ASCII.lowercased)) }

  /// Whether a field means something to the other end whatever Connection says.
  ///
  /// Without this a client could take away what the server frames, routes or authorises by
  /// (RFC 9110 §7.6.1). TE is one: it is only left if it says what we do pass on.
  private static func isEssential(_ name: Bytes) -> Bool {
    switch name.count {
    case 2: name.isText("te")
    case 4: name.isText("host")
    case 6: name.isText("cookie")
    case 7: name.isText("trailer")
    case 12: name.isText("content-type")
    case 13: name.isText("authorization")
    case 14: name.isText("content-length")
    case 16: name.isText("content-encoding")
    case 17: name.isText("transfer-encoding")
    default: false
    }
  }
}

extension MessageHead {
  /// Whether the connection can be used again after this message (RFC 9112 §9.3).
  ///
  /// Its framing can still require a close: see `BodyFraming.untilClose`.
  public var isPersistent: Bool {
    var isKeptAlive = false
    for index in self.fields.slots.indices where self.fields.isNamed("connection", at: index) {
      for option in ListElements(self.fields.value(at: index)) {
        if option.isText("close") { return false }
        if option.isText("keep-alive") { isKeptAlive = true }
      }
    }
    return self.version == .http11 || isKeptAlive
  }
}
