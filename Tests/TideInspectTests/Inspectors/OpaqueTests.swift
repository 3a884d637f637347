import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

@Suite struct OpaqueTests {
  private func random(_ count: Int, _ seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(state: seed)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  private func findings(_ body: Bytes, _ fields: [(String, String)] = []) throws -> [Finding] {
    try makeContext([], inspectors: ["opaque"]).findings([body], fields)
  }

  @Test("Random bytes are opaque from 256 on, whatever the sample", arguments: 0..<20)
  func random(seed: UInt64) throws {
    for count in [256, 448, 1_000, 9_000] {
      let body = Bytes(self.random(count, seed))
      let findings = try self.findings(body)
      // By chance there may be an escape in it, which opens.
      #expect(findings.map(\.kind.name) == ["opaque"], "\(count)")
      if findings.first?.encoding == [] {
        #expect(findings.first?.value == Bytes(ASCII.hex(Digest.sha256.hash(body))))
        #expect(findings.first?.range == 0..<count)
      }
    }
    #expect(try self.findings(Bytes(self.random(255, seed))).isEmpty)
  }

  @Test("A leaf counts as well as a whole body, and its coding is told")
  func leaf() throws {
    let text = Base64.standard.encode(self.random(600, 7))
    #expect(
      try self.findings(Bytes("{\"v\":2,\"data\":\"\(text)\"}")).map(\.line)
        == ["opaque likely body $.data base64"]
    )
    #expect(try self.findings(Bytes(text)).map(\.line) == ["opaque likely body  base64"])
  }

  @Test("Media, certificates, signatures, text and what a decoder reads are not")
  func negatives() throws {
    let noise = self.random(2_000, 9)
    for magic: [UInt8] in [
      [0xFF, 0xD8, 0xFF, 0xE0], [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A],
      [0x50, 0x4B, 0x03, 0x04],
      Array("wOF2".utf8), Array("OggS".utf8), [0, 0, 0, 24] + Array("ftypheic".utf8),
      Array("RIFF".utf8) + [1, 2, 3, 4] + Array("WEBP".utf8), Array("#!AMR".utf8),
      [0x30, 0x82, 0x07, 0xD0],
    ] {
      #expect(try self.findings(Bytes(magic + noise)).isEmpty, "\(magic)")
    }
    let signature = Base64.standard.encode(self.random(256, 3))
    #expect(try self.findings(Bytes("{\"signature\":\"\(signature)\",\"v\":1}")).isEmpty)
    #expect(try self.findings(Bytes("{\"payload\":\"\(signature)\",\"v\":1}")).count == 1)
    #expect(try self.findings(Bytes(String(repeating: "tide and sea ", count: 90))).isEmpty)
    #expect(
      try self.findings(Gzip.encode(Bytes(String(repeating: "tide and sea ", count: 90)))).isEmpty
    )
    let counting = (0..<1_024).map { UInt8(truncatingIfNeeded: $0 / 8) }
    #expect(try self.findings(Bytes(counting)).isEmpty)
  }

  @Test("Nothing can be written over it: the rule's `otherwise` decides")
  func redaction() throws {
    let context = try makeContext([], inspectors: ["opaque"])
    let body = Bytes(self.random(600, 7))
    let findings = context.findings([body])
    #expect(
      context.redact(body: body, head: request("/"), direction: .request, findings: findings) == nil
    )
  }
}
