import Testing
import TideCore

@testable import TideTLS

@Suite struct JA4Tests {
  /// The client of the specification's example: its suites and extensions in its order.
  private static let exampleSuites: [UInt16] = [
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C,
    0x009D, 0x002F, 0x0035,
  ]
  private static let exampleExtensions: [UInt16] = [
    0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B,
    0xFF01, 0x000B, 0x000A, 0x0015,
  ]
  private static let exampleAlgorithms: [UInt16] = [
    0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
  ]

  /// A hello of these suites and extensions, with the content that the fingerprint reads.
  private func hello(
    suites: [UInt16] = JA4Tests.exampleSuites,
    extensions: [UInt16] = JA4Tests.exampleExtensions,
    algorithms: [UInt16] = JA4Tests.exampleAlgorithms,
    versions: [UInt16] = [0x0304, 0x0303],
    protocols: [[UInt8]] = [Array("h2".utf8), Array("http/1.1".utf8)]
  ) -> HelloText {
    var text = HelloText()
    text.suites = bytes(of: suites)
    text.extensions = extensions.map { type in
      switch type {
      case 0: (type, HelloText.serverName("www.example"))
      case 13: (type, HelloText.number(algorithms.count * 2) + bytes(of: algorithms))
      case 16:
        (
          type,
          HelloText.number(protocols.map { $0.count + 1 }.reduce(0, +))
            + protocols.flatMap { [UInt8($0.count)] + $0 }
        )
      case 43: (type, [UInt8(versions.count * 2)] + bytes(of: versions))
      default: (type, [0, 0])
      }
    }
    return text
  }

  private func bytes(of numbers: [UInt16]) -> [UInt8] {
    numbers.flatMap { HelloText.number(Int($0)) }
  }

  private func fingerprint(of text: HelloText) -> String? { ja4(ofHello: Bytes(text.wire())) }

  @Test("The specification's example has the specification's fingerprint")
  func example() {
    #expect(self.fingerprint(of: self.hello()) == "t13d1516h2_8daaf6152771_e5627efa2ab1")
  }

  @Test("The order of suites and extensions does not matter, that of signature algorithms does")
  func order() {
    let shuffled = self.hello(
      suites: Self.exampleSuites.reversed(),
      extensions: Self.exampleExtensions.reversed()
    )
    #expect(self.fingerprint(of: shuffled) == "t13d1516h2_8daaf6152771_e5627efa2ab1")
    let other = self.fingerprint(of: self.hello(algorithms: Self.exampleAlgorithms.reversed()))
    #expect(other?.hasPrefix("t13d1516h2_8daaf6152771_") == true)
    #expect(other?.hasSuffix("e5627efa2ab1") == false)
  }

  @Test("GREASE counts nowhere: suites, extensions, versions, protocols, signature algorithms")
  func grease() {
    let text = self.hello(
      suites: [0x0A0A] + Self.exampleSuites + [0xFAFA],
      extensions: [0x1A1A] + Self.exampleExtensions + [0x2A2A],
      algorithms: [0x3A3A] + Self.exampleAlgorithms + [0xEAEA],
      versions: [0xFAFA, 0x0304, 0x0303],
      protocols: [[0x4A, 0x4A], Array("h2".utf8), Array("http/1.1".utf8)]
    )
    #expect(self.fingerprint(of: text) == "t13d1516h2_8daaf6152771_e5627efa2ab1")
  }

  @Test("Without signature algorithms the last part is of the extensions alone")
  func noAlgorithms() {
    let text = self.hello(algorithms: [])
    #expect(self.fingerprint(of: text) == "t13d1516h2_8daaf6152771_6d807ffa2a79")
  }

  @Test("The last part does not depend on there being a name and a protocol, the first one does")
  func noName() {
    let text = self.hello(extensions: Self.exampleExtensions.filter { $0 != 0 && $0 != 16 })
    #expect(self.fingerprint(of: text) == "t13i151400_8daaf6152771_e5627efa2ab1")
  }

  @Test("A hello of TLS 1.2 without extensions has twelve zeros for its last part")
  func noExtensions() {
    var text = self.hello()
    text.extensions = nil
    #expect(self.fingerprint(of: text) == "t12i150000_8daaf6152771_000000000000")
    text.extensions = []
    #expect(self.fingerprint(of: text) == "t12i150000_8daaf6152771_000000000000")
    // Nothing but what the first part tells.
    let named = self.hello(extensions: [0, 16])
    #expect(self.fingerprint(of: named) == "t12d1502h2_8daaf6152771_000000000000")
  }

  @Test("Nothing but GREASE for suites gives twelve zeros for them")
  func noSuites() {
    let text = self.hello(suites: [0x0A0A])
    #expect(self.fingerprint(of: text) == "t13d0016h2_000000000000_e5627efa2ab1")
  }

  @Test("Counts stop at 99")
  func manySuites() {
    let text = self.hello(
      suites: (1...300).map { UInt16($0) },
      extensions: (100...250).map { UInt16($0) }
    )
    #expect(self.fingerprint(of: text)?.hasPrefix("t12i999900_") == true)
  }

  @Test(
    "The highest version offered is told, whatever their order",
    arguments: [
      ([0x0303, 0x0304], "13"), ([0x0303, 0x0302], "12"), ([0x0302], "11"), ([0x0301], "10"),
      ([0x0300], "s3"), ([0x0002], "s2"), ([0xFEFC], "d3"), ([0xFEFD], "d2"), ([0xFEFF], "d1"),
      ([0x7F1C], "00"), ([0x0A0A], "00"),
    ] as [([UInt16], String)]
  )
  func versions(offer: [UInt16], digits: String) {
    #expect(self.fingerprint(of: self.hello(versions: offer))?.hasPrefix("t\(digits)d") == true)
  }

  @Test(
    "A protocol that does not begin and end with a letter or digit is told by its hexadecimal form",
    arguments: [
      ([0x68, 0x32], "h2"), (Array("http/1.1".utf8), "h1"), ([0x61], "aa"), ([0xAB], "ab"),
      ([0x20], "20"), ([0xAB, 0xCD], "ad"), ([0x20, 0x61], "21"), ([0x30, 0xAB], "3b"),
      ([0x61, 0x20], "60"), ([0x30, 0x31, 0xAB, 0xCD], "3d"), ([0x30, 0xAB, 0xCD, 0x31], "01"),
      ([0x5A, 0x7A], "Zz"), ([0x40, 0x39], "49"), ([0x39, 0x7B], "3b"),
    ] as [([UInt8], String)]
  )
  func protocols(name: [UInt8], ends: String) {
    let text = self.hello(protocols: [name, Array("h2".utf8)])
    #expect(self.fingerprint(of: text) == "t13d1516\(ends)_8daaf6152771_e5627efa2ab1")
  }

  @Test("Signature algorithms that break their grammar are no reason to have no fingerprint")
  func brokenAlgorithms() {
    var text = self.hello()
    text.extensions = [(13, [0, 9, 4])]
    #expect(self.fingerprint(of: text)?.hasPrefix("t12i150100_8daaf6152771_") == true)
    text.extensions = [(13, [])]
    #expect(self.fingerprint(of: text)?.hasPrefix("t12i150100_8daaf6152771_") == true)
  }

  @Test("Our own hello has one, and it tells whether the upstream is a name")
  func ownHello() throws {
    let root = try TestIdentity.authority("root")
    let context = try TLSClientContext(roots: .pem(root.pem))
    let named = try TLSSession.client(
      context,
      host: host("server.example"),
      applicationProtocols: ["h2", "http/1.1"]
    ).takeOutput()
    let fingerprint = try #require(ja4(ofHello: named))
    #expect(fingerprint.hasPrefix("t13d"))
    #expect(fingerprint.dropFirst(8).hasPrefix("h2_"))
    let address = try TLSSession.client(
      context,
      host: host("192.0.2.1"),
      applicationProtocols: []
    ).takeOutput()
    #expect(ja4(ofHello: address)?.hasPrefix("t13i") == true)
    #expect(ja4(ofHello: named.slice(0..<named.count - 1)) == nil)
    #expect(ja4(ofHello: "GET / HTTP/1.1\r\n\r\n") == nil)
  }
}
