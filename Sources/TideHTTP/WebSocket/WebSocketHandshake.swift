public import TideCore
import TideCrypto

/// A request for a WebSocket: an upgrade (RFC 6455 §4) or an extended CONNECT (RFC 8441 §4).
public struct WebSocketHandshake: Sendable {
  /// How the WebSocket is asked for.
  public enum Method: Hashable, Sendable {
    /// By an HTTP/1.1 upgrade with this Sec-WebSocket-Key.
    case upgrade(key: Bytes)
    /// By an extended CONNECT, which has no key.
    case extendedConnect
  }

  private static let identifier = Bytes("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")

  /// How the WebSocket is asked for.
  public let method: Method
  private let offersDeflate: Bool
  private let offersOther: Bool

  /// Reads a request's head; nil unless it asks for a WebSocket as version 13 does.
  public init?(request: MessageHead) {
    let fields = request.fields
    let versions = fields.all("sec-websocket-version")
    guard versions.count == 1, versions[0].isText("13") else { return nil }
    switch request.version {
    case .http10: return nil
    case .http11:
      let keys = fields.all("sec-websocket-key")
      guard request.method.elementsEqual("GET".utf8),
        Self.lists(fields, "upgrade", "websocket"),
        Self.lists(fields, "connection", "upgrade"),
        keys.count == 1, Self.isKey(keys[0])
      else { return nil }
      self.method = .upgrade(key: keys[0])
    case .http2:
      guard request.method.elementsEqual("CONNECT".utf8),
        request.pseudo?.protocolName?.isText("websocket") == true
      else { return nil }
      self.method = .extendedConnect
    }
    do throws(WebSocketFailure) {
      let offers = try ExtensionElement.read(fields)
      self.offersDeflate = offers.contains(where: \.isDeflate)
      self.offersOther = offers.contains { !$0.isDeflate }
    } catch {
      // It goes to the server as it is, and may mean anything there.
      self.offersDeflate = true
      self.offersOther = true
    }
  }

  /// Whether `response` makes the connection, or the stream, a WebSocket.
  ///
  /// - Parameter response: the head of a response to the request.
  /// - Returns: false for any other response, whatever its status.
  public func accepts(_ response: MessageHead) -> Bool {
    switch self.method {
    case .extendedConnect: return (200..<300).contains(response.status)
    case .upgrade(let key):
      let fields = response.fields
      let accepts = fields.all("sec-websocket-accept")
      let protocols = fields.all("upgrade")
      guard response.status == 101, protocols.count == 1, protocols[0].isText("websocket"),
        Self.lists(fields, "connection", "upgrade"), accepts.count == 1
      else { return false }
      return accepts[0] == Self.acceptance(of: key)
    }
  }

  /// The extensions that `response` agrees to.
  ///
  /// - Parameter response: one that the handshake accepts.
  /// - Returns: what both ends have to do to frames.
  /// - Throws: `.protocolError` for a field that breaks its grammar, an extension that was not offered,
  ///   or permessage-deflate twice or with parameters that mean nothing (RFC 7692 §7.1).
  public func extensions(
    agreedIn response: MessageHead
  ) throws(WebSocketFailure) -> WebSocketExtensions {
    let elements = try ExtensionElement.read(response.fields)
    let deflates = elements.filter(\.isDeflate)
    let isOffered =
      (deflates.isEmpty || self.offersDeflate)
      && (deflates.count == elements.count || self.offersOther)
    guard isOffered, deflates.count <= 1 else {
      throw WebSocketFailure(.protocolError, detail: "an extension that was not offered")
    }
    // What another extension does to the frames, and in which order, nobody here knows.
    if let unknown = elements.first(where: { !$0.isDeflate }) {
      return .unknown(HTTPFailure.escaped(unknown.name))
    }
    guard let deflate = deflates.first else { return .none }
    return .deflate(try PerMessageDeflate(deflate.parameters))
  }

  /// What Sec-WebSocket-Accept must say to `key` (RFC 6455 §4.2.2).
  public static func acceptance(of key: Bytes) -> Bytes {
    var text = key
    text.append(self.identifier)
    return Bytes(Base64.standard.encode(Digest.sha1.hash(text)))
  }

  /// Whether `value` is the base64 of 16 bytes: 22 digits and two of padding.
  private static func isKey(_ value: Bytes) -> Bool {
    value.count == 24 && value[22] == 0x3D && value[23] == 0x3D
      && value.slice(0..<22).allSatisfy { byte in
        switch byte {
        case 0x2B, 0x2F, 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
      }
  }

  private static func lists(
    _ fields: HeaderFields,
    _ name: StaticString,
    _ token: StaticString
  ) -> Bool {
    fields.all(name).contains { ListElements($0).contains { $0.isText(token) } }
  }
}
