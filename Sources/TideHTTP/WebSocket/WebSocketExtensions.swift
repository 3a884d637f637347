import TideCore

/// The extensions that both ends of a WebSocket agreed on (RFC 6455 §9.1).
public enum WebSocketExtensions: Hashable, Sendable {
  /// None: frames are what RFC 6455 says.
  case none
  /// Compression alone.
  case deflate(PerMessageDeflate)
  /// One that we do not know, by its name, at most 64 bytes of it: the frames cannot be read.
  case unknown(String)
}

/// What was agreed on for permessage-deflate (RFC 7692 §7.1).
public struct PerMessageDeflate: Hashable, Sendable {
  /// Whether the server's messages never refer to earlier ones.
  public var serverNoContextTakeover = false
  /// Whether the client's messages never refer to earlier ones.
  public var clientNoContextTakeover = false
  /// The server's window in bits, 8...15.
  public var serverMaxWindowBits = 15
  /// The client's window in bits, 8...15.
  public var clientMaxWindowBits = 15

  /// Makes what an answer without parameters agrees to.
  public init() {}

  /// Reads a response's parameters.
  ///
  /// - Throws: `.protocolError` for one that is unknown, given twice, or has no legal value.
  init(
    _ parameters: [(name: Bytes, value: Bytes?)]
  ) throws(WebSocketFailure) {
    for (index, parameter) in parameters.enumerated() {
      let isFirst = !parameters[..<index].contains {
        ASCII.equalsIgnoringCase($0.name, parameter.name)
      }
      guard isFirst, self.take(parameter.name, parameter.value) else {
        throw WebSocketFailure(
          .protocolError,
          detail: "a parameter of permessage-deflate: \(HTTPFailure.escaped(parameter.name))"
        )
      }
    }
  }

  /// The window of what `sender` compresses, in bits.
  public func windowBits(of sender: WebSocketReader.Sender) -> Int {
    switch sender {
    case .client: self.clientMaxWindowBits
    case .server: self.serverMaxWindowBits
    }
  }

  /// Whether messages of `sender` may refer to earlier ones.
  public func keepsContext(of sender: WebSocketReader.Sender) -> Bool {
    switch sender {
    case .client: !self.clientNoContextTakeover
    case .server: !self.serverNoContextTakeover
    }
  }

  private mutating func take(_ name: Bytes, _ value: Bytes?) -> Bool {
    if name.isText("server_no_context_takeover") {
      self.serverNoContextTakeover = true
      return value == nil
    }
    if name.isText("client_no_context_takeover") {
      self.clientNoContextTakeover = true
      return value == nil
    }
    guard let value, let bits = Self.windowBits(value) else { return false }
    if name.isText("server_max_window_bits") {
      self.serverMaxWindowBits = bits
      return true
    }
    if name.isText("client_max_window_bits") {
      self.clientMaxWindowBits = bits
      return true
    }
    return false
  }

  /// A decimal of 8 to 15 without leading zeros (RFC 7692 §7.1.2).
  private static func windowBits(_ value: Bytes) -> Int? {
    guard (1...2).contains(value.count), value[0] != 0x30, value.allSatisfy(ASCII.isDigit) else {
      return nil
    }
    let bits = value.reduce(0) { $0 * 10 + Int($1 & 0x0F) }
    return (8...15).contains(bits) ? bits : nil
  }
}
