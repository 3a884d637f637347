import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct ProofTests {
  private let cases = CasesFolder()

  private func host(_ flow: UInt64) -> String { "host\(flow).vendor.example" }

  /// A case of five flows, each of another host and with another body.
  private func record(seal: Bool = true) throws -> String {
    var events: [FlowEvent] = []
    for flow in 1...5 as ClosedRange<UInt64> {
      events += try Play.exchange(
        flow,
        host: self.host(flow),
        request: Bytes(
          Array("secret of flow \(flow) ".utf8) + [UInt8](repeating: 0x61, count: 9_000)
        )
      )
    }
    let key = try SigningKey.generate()
    var settings = RecorderSettings()
    settings.signingKey = key
    let recorder = try self.cases.recorder("test", settings: settings)
    for event in events { _ = recorder.offer(event) }
    try recorder.close(seal: seal)
    return self.cases.path + "/test"
  }

  private func prove(_ flow: UInt64, of root: String) throws -> String {
    let path = self.cases.path + "/\(flow).proof"
    _ = try ProofExporter.export(FlowID(flow), of: root, to: path, replaces: true)
    return path
  }

  /// The last line that docs/verify/verify_proof.py prints.
  private func conclusion(_ path: String) throws -> String {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .resolvingSymlinksInPath()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = [
      tests.deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/verify/verify_proof.py").path, path,
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return String(output.split(separator: "\n").last ?? "")
  }

  @Test(
    "A flow's proof verifies by itself, by ours and by a stranger's verifier",
    arguments: [true, false]
  )
  func verifies(isSealed: Bool) throws {
    let root = try self.record(seal: isSealed)
    for flow in [1, 3, 5] as [UInt64] {
      let path = try self.prove(flow, of: root)
      #expect(ProofVerifier.isProof(path))
      let report = try ProofVerifier.verify(path)
      #expect(report.summary == "INTACT" && report.statements.count == 4)
      #expect(try self.conclusion(path) == "INTACT")
    }
  }

  @Test("A proof has all lines of its flow and connection, and all their contents")
  func complete() throws {
    let root = try self.record()
    let text = String(decoding: try read(try self.prove(3, of: root)), as: UTF8.self)
    for line in try logLines(root) {
      let line = String(decoding: line, as: UTF8.self)
      let isOurs =
        line.contains(#""flow":"f-000003""#) || line.contains(#""connection":"c-000003""#)
      let escaped = line.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
      #expect(text.contains(escaped) == isOurs)
    }
    // Two heads, two bodies and two certificates: those without a content of their own are in the lines.
    #expect(text.split(separator: "\n").filter { $0.hasPrefix(#"{"content":"#) }.count == 4)
  }

  @Test("Nothing of another flow is in a proof: no host, URL, device's bytes or digest of a body")
  func silent() throws {
    let root = try self.record()
    let bytes = try read(try self.prove(3, of: root))
    var text = String(decoding: bytes, as: UTF8.self)
    for row in text.split(separator: "\n") {
      let members = try #require(JSONValue(Bytes(Array(row.utf8)))?.object)
      if let piece = members["piece"]?.string {
        text += String(decoding: try #require(Base64.standard.decode(piece.utf8)), as: UTF8.self)
      }
    }
    #expect(text.contains(self.host(3)) && text.contains("secret of flow 3"))
    for flow in [1, 2, 4, 5] as [UInt64] {
      #expect(!text.contains(self.host(flow)) && !text.contains("secret of flow \(flow)"))
      #expect(!text.contains("f-00000\(flow)") && !text.contains("c-00000\(flow)"))
      let body = Array("secret of flow \(flow) ".utf8) + [UInt8](repeating: 0x61, count: 9_000)
      #expect(!text.contains(Hex.encode(Digest.sha256.hash(Bytes(body)))))
    }
  }

  @Test("Whichever byte of a proof is altered, cut or added, it is no proof any more")
  func tampered() throws {
    let path = try self.prove(2, of: try self.record())
    let good = try read(path)
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      var bad = good
      bad[Int.random(in: 0..<bad.count, using: &random)] ^=
        1 << UInt8.random(in: 0..<8, using: &random)
      try write(bad, to: path)
      #expect(try ProofVerifier.verify(path).isGood == false)
    }
    for bad in [good.dropLast(), good.dropLast(good.count / 2), good + [0x0A], good + good] {
      try write(bad, to: path)
      #expect(try ProofVerifier.verify(path).isGood == false)
    }
  }

  /// A proof with something replaced and its last line made right again.
  private func forge(_ good: [UInt8], _ old: String, _ new: String) throws -> [UInt8] {
    let text = String(decoding: good, as: UTF8.self)
    #expect(text.contains(old))
    let lines = text.replacing(old, with: new).split(separator: "\n").dropLast()
    let body = Array((lines.joined(separator: "\n") + "\n").utf8)
    let digest = Hex.encode(Digest.sha256.hash(Bytes(body)))
    return body + Array("{\"sha256\":\"\(digest)\"}\n".utf8)
  }

  @Test("Who alters a proof and makes its last line right again is caught by both verifiers")
  func forged() throws {
    let root = try self.record()
    let path = try self.prove(2, of: root)
    let good = try read(path)
    let content = Base64.standard.encode(Bytes(Array("secret of".utf8)))
    let altered = Base64.standard.encode(Bytes(Array("secret if".utf8)))
    let rows = String(decoding: good, as: UTF8.self).split(separator: "\n").map(String.init)
    let forgeries = [
      (#"\"status\":200"#, #"\"status\":404"#), (content, altered), ("203.0.113.7", "203.0.113.8"),
      (#""flow":"f-000002","size""#, #""flow":"f-000003","size""#),
      (rows[4] + "\n", ""), (rows[4], rows[5]), (rows[rows.count - 2] + "\n", ""),
      (#""signature":""#, #""signature":"AAAA"#), (#""case_sha256":""#, #""case_sha256":"0"#),
    ]
    for (old, new) in forgeries {
      try write(try self.forge(good, old, new), to: path)
      #expect(try ProofVerifier.verify(path).isGood == false, "\(old.prefix(60))")
      #expect(try self.conclusion(path).hasPrefix("ALTERED"), "\(old.prefix(60))")
    }
    try write(try self.forge(good, "host2", "host2"), to: path)
    #expect(try ProofVerifier.verify(path).isGood)
    #expect(
      try ProofVerifier.verify(path, signer: String(repeating: "0", count: 64)).isGood == false
    )
  }

  @Test("A log that was altered gives no proof, and neither does a flow that is not there")
  func refused() throws {
    let root = try self.record(seal: false)
    let log = LogReader.path(of: 1, in: root)
    let text = String(decoding: try read(log), as: UTF8.self)
    #expect(throws: EvidenceFailure.self) { try self.prove(9, of: root) }
    try write(Array(text.replacing("host1", with: "host9").utf8), to: log)
    #expect(throws: EvidenceFailure.self) { try self.prove(3, of: root) }
    #expect(!FileManager.default.fileExists(atPath: self.cases.path + "/3.proof"))
  }

  @Test("Paths found together are those found one by one, in trees of every size to 40")
  func paths() throws {
    var hasher = SHA256Hasher()
    for size in 1...40 as ClosedRange<UInt64> {
      let wanted = (0..<size).filter { $0 % 3 != 1 }
      var together = ProofPaths(of: wanted)
      var alone = wanted.map { InclusionPathBuilder(index: $0) }
      for number in 0..<size {
        let line = Array("\(number)".utf8)
        together.append(line: line.span)
        let leaf = MerkleTree.leaf(line.span, &hasher)
        for index in alone.indices { alone[index].append(leaf, &hasher) }
      }
      let (root, paths) = together.finish()
      for (path, builder) in zip(paths, alone) {
        #expect(path == builder.path(&hasher))
        #expect(root == builder.tree.root(&hasher))
      }
    }
  }
}
