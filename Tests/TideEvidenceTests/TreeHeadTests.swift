import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct TreeHeadTests {
  private let cases = CasesFolder()

  /// The root of the first lines of a log, by the definition.
  private func root(_ lines: ArraySlice<[UInt8]>) -> [UInt8] {
    guard lines.count > 1 else { return Digest.sha256.hash([0] + (lines.first ?? [])) }
    var half = 1
    while half * 2 < lines.count { half *= 2 }
    let middle = lines.startIndex + half
    return Digest.sha256.hash([1] + self.root(lines[..<middle]) + self.root(lines[middle...]))
  }

  private func allLines(_ path: String) throws -> [[UInt8]] {
    try LogReader(root: path).segments.flatMap { try logLines(path, segment: $0) }
  }

  private func isTrue(
    _ head: [String: Any],
    of path: String,
    _ key: VerifyingKey
  ) throws -> Bool {
    let size = try #require(head["size"] as? Int)
    let root = try #require(head["root"] as? String)
    let digest = Hex.encode(Digest.sha256.hash(try read(path + "/case.json")))
    let signature = try #require((head["signature"] as? String).flatMap { Data(base64Encoded: $0) })
    let message = "tidewaiter tree head v1\n\(digest)\n\(size)\n\(root)\n"
    return try key.isValid(Array(signature), for: Array(message.utf8))
      && root == Hex.encode(self.root(try self.allLines(path)[..<size]))
  }

  @Test(
    "A session ends with a tree head over all its lines, signed with the key that `start` names"
  )
  func lastLine() throws {
    let key = try SigningKey.generate()
    var settings = RecorderSettings()
    settings.signingKey = key
    let path = try self.cases.record(Play.exchange(), settings: settings, seal: key)
    let objects = try logObjects(path)
    let head = try #require(objects.dropLast().last)
    #expect(head["type"] as? String == "tree-head")
    #expect(head["size"] as? Int == objects.count - 2)
    let pem = try key.publicKeyPEM
    #expect(try self.isTrue(head, of: path, VerifyingKey(pem: Bytes(pem))))
    #expect(try read(path + "/signer.pem") == pem)
    let signer = try #require(objects.first?["signer"] as? String)
    let der = try #require(Base64.standard.decode(signer.utf8))
    #expect(head["key"] as? String == Hex.encode(Digest.sha256.hash(der)))
    #expect(Base64.standard.encode(Bytes(der)) == HeadSigner.publicKey(inPEM: pem))
    #expect(objects.last?["type"] as? String == "sealed")
    #expect(objects.last?["reason"] is NSNull)
  }

  @Test("The manifest has the number and the root of all lines, the last one included")
  func manifest() throws {
    let path = try self.cases.record(Play.exchange(), seal: .generate())
    let manifest = try #require(
      try JSONSerialization.jsonObject(with: Data(read(path + "/manifest.json"))) as? [String: Any]
    )
    let lines = try self.allLines(path)
    #expect(manifest["format"] as? Int == 2)
    #expect(manifest["tree_size"] as? Int == lines.count)
    #expect(manifest["tree_root"] as? String == Hex.encode(self.root(lines[...])))
  }

  @Test(
    "Without a key heads are not signed; who seals with another key than the recorder's neither"
  )
  func unsigned() throws {
    let path = try self.cases.record(Play.exchange())
    let objects = try logObjects(path)
    #expect(objects.first?["signer"] is NSNull)
    #expect(objects.last?["key"] is NSNull)
    #expect(objects.last?["signature"] is NSNull)
    #expect(objects.last?["size"] as? Int == objects.count - 1)
    // As a kill leaves it: no head is its last line.
    let lines = try logLines(path)
    try write(lines.dropLast().flatMap { $0 + [0x0A] }, to: LogReader.path(of: 1, in: path))
    try CaseSealer.seal(path, key: .generate(), at: Play.time(0), reason: "asked for")
    let sealed = try logObjects(path).suffix(2)
    #expect(sealed.first?["type"] as? String == "tree-head")
    #expect(sealed.first?["size"] as? Int == lines.count - 1)
    #expect(sealed.first?["signature"] is NSNull)
    #expect(sealed.last?["reason"] as? String == "asked for")
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test(
    "A segment begins with the subtrees of all lines before it, from which a continued case goes on"
  )
  func segments() throws {
    let key = try SigningKey.generate()
    var settings = RecorderSettings()
    settings.segmentSize = 4_096
    settings.signingKey = key
    for exchanges in [1...6, 7...7] as [ClosedRange<UInt64>] {
      let recorder = try self.cases.recorder(settings: settings)
      for event in try exchanges.flatMap({ try Play.exchange($0) }) { _ = recorder.offer(event) }
      try recorder.close(seal: false)
    }
    let path = self.cases.path + "/test"
    let segments = try LogReader(root: path).segments
    #expect(segments.count > 4)
    for segment in segments.dropFirst() {
      let first = try #require(try logObjects(path, segment: segment).first)
      let count = try #require(first["seq"] as? Int) - 1
      let lines = try self.allLines(path)[..<count]
      var start = 0
      let wanted = (0..<32).reversed().compactMap { bit -> String? in
        guard count & 1 << bit != 0 else { return nil }
        defer { start += 1 << bit }
        return Hex.encode(self.root(lines[start..<start + 1 << bit]))
      }
      #expect(first["tree"] as? [String] == wanted)
    }
    let heads = try segments.flatMap { try logObjects(path, segment: $0) }
      .filter { $0["type"] as? String == "tree-head" }
    #expect(heads.count >= 2)
    let verifying = try VerifyingKey(pem: Bytes(try key.publicKeyPEM))
    for head in heads { #expect(try self.isTrue(head, of: path, verifying)) }
  }

  @Test("A case of another format is not continued")
  func otherFormat() throws {
    let path = try self.cases.record(Play.exchange())
    let text = String(decoding: try read(path + "/case.json"), as: UTF8.self)
    try write(text.replacing("\"format\":2", with: "\"format\":1").utf8, to: path + "/case.json")
    let failure = #expect(throws: EvidenceFailure.self) { try self.cases.open() }
    #expect(failure?.code == .malformed)
    #expect(failure?.detail.contains("format 2") == true)
  }
}
