import TideCore
import TideTLS

@testable import TideProxy

/// What is made of a playbook's single steps.
extension Playbook {
  func deviceCloses(_ kind: CloseKind = .end) {
    self.give(.closed(.downstream, kind))
  }

  func server(_ text: String) { self.server(bytes: Bytes(text)) }

  /// CONNECT, look-up, dial, both handshakes.
  func tunnel(
    _ name: String = "api.example",
    at address: String = "192.0.2.7",
    offering offer: [String] = ["http/1.1"],
    selecting choice: String? = "http/1.1"
  ) throws {
    self.device("CONNECT \(name):443 HTTP/1.1\r\nHost: \(name):443\r\n\r\n")
    self.resolve(address)
    try self.connect(as: name, selecting: choice)
    self.skipGot()
    try self.deviceHandshake(name, offering: offer)
  }

  /// An absolute-form request's way: look-up and dial.
  func way(_ address: String = "192.0.2.7") throws {
    self.resolve(address)
    try self.connect()
  }

  var downstreamClose: CloseMode? { self.closed[.downstream] }
  var upstreamClose: CloseMode? { self.upstream.flatMap { self.closed[.upstream($0)] } }
  var isDownstreamPaused: Bool { self.paused.contains(.downstream) }
  var isUpstreamPaused: Bool { self.upstream.map { self.paused.contains(.upstream($0)) } ?? false }

  /// Sends with each piece a TLS record of its own.
  func device(_ text: String, in cut: Cut) {
    for piece in cut.pieces(of: Bytes(text)) { self.device(bytes: piece) }
  }

  func server(_ text: String, in cut: Cut) {
    for piece in cut.pieces(of: Bytes(text)) { self.server(bytes: piece) }
  }
}
