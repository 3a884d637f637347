/// An address and port to listen on; unlike an `Authority`, never a name, and port 0 asks for a free one.
public struct ListenAddress: Hashable, Sendable {
  /// The local address; 0.0.0.0 or :: for all.
  public let address: IPAddress
  /// The port; 0 lets the system choose.
  public let port: UInt16

  /// Joins an address and a port.
  public init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// Reads `192.0.2.1:8080` or `[2001:db8::1]:8080`; `nil` for anything else.
  public init?(_ text: some StringProtocol) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(ASCII.isDigit),
      let port = UInt16(digits)
    else { return nil }
    var literal = text[..<colon]
    let isBracketed = literal.hasPrefix("[") && literal.hasSuffix("]")
    if isBracketed { literal = literal.dropFirst().dropLast() }
    guard let address = IPAddress(literal), isBracketed == (address.bitWidth == 128)
    else { return nil }
    self.init(address: address, port: port)
  }
}

extension ListenAddress: CustomStringConvertible {
  /// `ADDRESS:PORT`, with brackets around IPv6.
  public var description: String {
    switch self.address {
    case .v4: "\(self.address):\(self.port)"
    case .v6: "[\(self.address)]:\(self.port)"
    }
  }
}
