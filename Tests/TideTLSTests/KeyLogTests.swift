import Testing
import TideCore

@testable import TideTLS

@Suite struct KeyLogTests {
  private func pair(keeps: Bool, _ version: UInt16) throws -> SessionPair {
    let root = try TestIdentity.authority("root")
    return SessionPair(
      client: try .client(
        TLSClientContext(roots: .pem(root.pem)),
        host: host("server.example"),
        applicationProtocols: []
      ),
      server: try .server(
        TLSServerContext(keepsSecrets: keeps),
        leaf: TestIdentity.server([host("server.example")], issuer: root).leaf(),
        applicationProtocol: nil,
        maximumVersion: version
      )
    ).run()
  }

  @Test("The key log of the device's leg has what opens a capture of it, once")
  func lines() throws {
    for (version, labels): (UInt16, Set<String>) in [
      (0x0303, ["CLIENT_RANDOM"]),
      (
        0x0304,
        [
          "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
          "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET",
        ]
      ),
    ] {
      let pair = try self.pair(keeps: true, version)
      let lines = pair.server.takeSecrets().map(\.text)
      #expect(Set(lines.compactMap { $0.split(separator: " ").first.map(String.init) }) == labels)
      for line in lines {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        #expect(parts.count == 3 && parts[1].count == 64 && parts[2].count >= 64)
        #expect(!line.hasSuffix("\n"))
      }
      #expect(pair.server.takeSecrets().isEmpty)
      #expect(pair.client.takeSecrets().isEmpty, "never of the upstream's leg")
    }
  }

  @Test("Without being asked to, a context keeps no secrets")
  func none() throws {
    for version: UInt16 in [0x0303, 0x0304] {
      #expect(try self.pair(keeps: false, version).server.takeSecrets().isEmpty)
    }
  }
}
