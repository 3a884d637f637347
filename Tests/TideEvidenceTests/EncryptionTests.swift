import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct EncryptionTests {
  private static let canary = "canary-490154203237518"
  private let cases = CasesFolder()

  /// A key in a file that its owner alone may read.
  private func key(_ name: String = "key", _ digit: Character = "7") throws -> CaseKey {
    try .key(file: self.file(name, String(repeating: digit, count: 64) + "\n"))
  }

  private func file(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
    try FileManager.default.createDirectory(
      atPath: self.cases.path,
      withIntermediateDirectories: true
    )
    let path = self.cases.path + "/" + name
    try write(text.utf8, to: path)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  private func open(_ name: String = "test", _ key: CaseKey?) throws -> CaseFolder {
    try CaseFolder.open(
      name,
      in: self.cases.path,
      description: CaseDescription(mode: "record", toolVersion: "0.1.0"),
      key: key,
      at: Play.time(0)
    )
  }

  /// Flows with a value of their own in heads, contents, findings and wire/.
  private func events(_ numbers: ClosedRange<UInt64> = 1...2) throws -> [FlowEvent] {
    try numbers.flatMap { number in
      let connection = ConnectionID(number)
      let wire = Bytes("wire \(Self.canary) \(number)")
      return try Play.exchange(
        number,
        host: "\(Self.canary).example",
        request: Bytes("{\"imei\":\"\(Self.canary)\",\"n\":\(number)}"),
        response: Bytes(String(repeating: "\(Self.canary) \(number)\n", count: 6_000)),
        findings: [Play.finding(.imei, Bytes(Self.canary))]
      ) + [.wire(connection, .request, wire, time: Play.time(Int64(number)))]
    }
  }

  @discardableResult
  private func record(
    _ events: [FlowEvent],
    _ key: CaseKey?,
    name: String = "test",
    seal: SigningKey? = nil,
    segmentSize: UInt64 = 64 << 20
  ) throws -> String {
    var settings = RecorderSettings()
    settings.signingKey = seal
    settings.segmentSize = segmentSize
    settings.keepsWire = true
    let recorder = try EvidenceRecorder(case: self.open(name, key), settings: settings) { _ in }
    for event in events { _ = recorder.offer(event) }
    try recorder.close(seal: seal != nil)
    return self.cases.path + "/" + name
  }

  private func flows(_ path: String, _ key: CaseKey?) throws -> [FlowRecord] {
    var flows: [FlowRecord] = []
    try CaseReader(path, key: key).forEachFlow { flow throws(EvidenceFailure) in
      flows.append(flow)
      return true
    }
    return flows
  }

  private func files(of path: String) throws -> [String] {
    let names = try #require(FileManager.default.enumerator(atPath: path)).compactMap {
      $0 as? String
    }
    return names.filter { !Folder.isFolder(path + "/" + $0) }
  }

  private func code(_ body: () throws -> Void) -> EvidenceFailure.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? EvidenceFailure)?.code
    }
  }

  @Test("Nothing of what was recorded is in any file: not as text, base64 or hexadecimal")
  func canary() throws {
    let value = Array(Self.canary.utf8)
    let digest = Hex.encode(Digest.sha256.hash(value))
    var traces = [Self.canary, String(Self.canary.prefix(12)), Hex.encode(value), digest]
    for shift in 0..<3 {
      let coded = Data(Array(repeating: 0x2E, count: shift) + value).base64EncodedString()
      traces.append(String(coded.dropFirst(4).prefix(16)))
    }
    func found(_ path: String) throws -> [String] {
      try self.files(of: path).filter { name in
        let bytes = Data(try read(path + "/" + name))
        return traces.contains { name.contains($0) || bytes.range(of: Data($0.utf8)) != nil }
      }
    }
    let key = try self.key()
    let path = try self.record(self.events(), key, seal: .generate())
    _ = try self.flows(path, key)
    #expect(try found(path).isEmpty)
    #expect(try !self.files(of: path).contains("flows.sqlite"))
    #expect(try !self.files(of: path).contains("findings.ndjson"))
    // The same in the clear: the search does find it.
    let plain = try self.record(self.events(), nil, name: "plain")
    #expect(try found(plain).count > 2)
    // A content's file has no name that its digest would tell.
    let content = Digest.sha256.hash(Array("{\"imei\":\"\(Self.canary)\",\"n\":1}".utf8))
    #expect(try self.files(of: plain).contains { $0.hasSuffix(Hex.encode(content)) })
    #expect(try !self.files(of: path).contains { $0.hasSuffix(Hex.encode(content)) })
  }

  @Test("Nor while it is recorded, nor in what a kill leaves of a content that is not over")
  func canaryOfOpenBodies() throws {
    let path = self.cases.path + "/test"
    let recorder = try EvidenceRecorder(
      case: self.open("test", self.key()),
      settings: RecorderSettings()
    ) { _ in }
    let events = try self.events(1...1).filter {
      switch $0 {
      case .flowEnded, .connectionClosed: false
      default: true
      }
    }
    for event in events { _ = recorder.offer(event) }
    // More than may wait in memory, so that some of it lies in bodies/tmp/.
    let piece = Bytes(String(repeating: "\(Self.canary)\n", count: 8_000))
    for _ in 0..<120 { _ = recorder.offer(.body(FlowID(1), .response, .original, piece)) }
    let isSpilled = (0..<400).contains { _ in
      usleep(10_000)
      return ((try? self.files(of: path)) ?? []).contains { $0.hasPrefix("bodies/tmp/") }
    }
    #expect(isSpilled)
    for name in try self.files(of: path) {
      let bytes = Data((try? read(path + "/" + name)) ?? [])
      #expect(bytes.range(of: Data(Self.canary.utf8)) == nil, "\(name)")
    }
    try recorder.close(seal: false)
  }

  @Test("With the key a case says the same as one that is not encrypted")
  func sameContents() throws {
    let key = try self.key()
    let path = try self.record(self.events(), key, seal: .generate())
    let plain = try self.record(self.events(), nil, name: "plain", seal: .generate())
    func told(_ path: String, _ key: CaseKey?) throws -> [String] {
      let log = try LogReader(root: path, keys: try CaseEncryption.keys(of: path, key))
      var lines: [String] = []
      try log.forEachLine { line throws(EvidenceFailure) in
        guard let event = LogEvent(line) else {
          throw EvidenceFailure(.malformed, detail: "a line does not read")
        }
        if ["flow-start", "head", "body", "finding", "flow-end"].contains(event.type) {
          let text = line.bytes.text
          let members = text.range(of: "\"type\":").map { text[$0.lowerBound...] } ?? ""
          lines.append(String(members.split(separator: ",\"hash\":")[0]))
        }
        return true
      }
      for flow in try self.flows(path, key) {
        lines.append("\(flow.host) \(flow.url) \(flow.tags.map(\.kind))")
      }
      return lines.map {
        $0.replacing(/"prev":"[0-9a-f]{64}"/, with: "").replacing(/"value":"[^"]*"/, with: "")
      }
    }
    let told = (try told(path, key), try told(plain, nil))
    #expect(told.0.count > 10)
    let isSame = told.0 == told.1
    #expect(isSame)
  }

  @Test(
    "Without the key the chain, heads and seal verify, and that contents were not opened is said"
  )
  func verifying() throws {
    let key = try self.key()
    let path = try self.record(self.events(), key, seal: .generate())
    let stranger = try CaseVerifier.verify(path)
    #expect(stranger.summary == "INTACT", "\(stranger.text)")
    #expect(stranger.text.contains("its contents were not opened: no key was given"))
    let owner = try CaseVerifier.verify(path, key: key)
    #expect(owner.summary == "INTACT", "\(owner.text)")
    #expect(owner.text.contains("opened with the key"))
    let other = try self.key("other", "8")
    #expect(self.code { _ = try CaseVerifier.verify(path, key: other) } == .wrongKey)
  }

  @Test("A case is read and continued with its own key alone, and nothing is written otherwise")
  func wrongKey() throws {
    let key = try self.key()
    let path = try self.record(self.events(), key)
    let before = try self.files(of: path).sorted().map { ($0, try read(path + "/" + $0)) }
    let other = try self.key("other", "8")
    let words = try CaseKey.passphrase(file: self.file("words", "correct horse battery\n"))
    #expect(self.code { _ = try CaseReader(path) } == .locked)
    #expect(self.code { _ = try CaseReader(path, key: other) } == .wrongKey)
    #expect(self.code { _ = try CaseReader(path, key: words) } == .wrongKey)
    #expect(self.code { _ = try self.open("test", nil) } == .locked)
    #expect(self.code { _ = try self.open("test", other) } == .wrongKey)
    #expect(self.code { try CaseSealer.seal(path, key: .generate(), at: Play.time(0)) } == .locked)
    let after = try self.files(of: path).sorted().map { ($0, try read(path + "/" + $0)) }
    let isSame = before.elementsEqual(after) { $0.0 == $1.0 && $0.1 == $1.1 }
    #expect(isSame)
    let plain = try self.record(self.events(), nil, name: "plain")
    #expect(self.code { _ = try self.open("plain", key) } == .wrongKey)
    #expect(try CaseVerifier.verify(plain).summary == "INTACT")
  }

  @Test("A case that is continued after a kill anywhere in its last line loses nothing before it")
  func continued() throws {
    let key = try self.key()
    try self.record(self.events(1...1), key)
    let log = LogReader.path(of: 1, in: self.cases.path + "/test")
    let whole = try read(log)
    for cut in [1, 40, 120, 200] {
      let path = try self.cases.copy("test", to: "cut")
      try write(whole.dropLast(cut), to: LogReader.path(of: 1, in: path))
      try self.record(self.events(2...2), key, name: "cut", seal: .generate())
      let report = try CaseVerifier.verify(path, key: key)
      #expect(report.summary == "INTACT", "\(report.text)")
      #expect(try self.flows(path, key).count == 2)
    }
  }

  @Test("A changed bit in any file is found, with the key and without it")
  func tampering() throws {
    let key = try self.key()
    let path = try self.record(self.events(1...1), key, seal: .generate())
    var generator = Seeded(seed: 11)
    for name in try self.files(of: path).sorted() where name != "VERIFY.txt" {
      let original = try read(path + "/" + name)
      for _ in 0..<6 {
        var changed = original
        changed[Int.random(in: 0..<original.count, using: &generator)] ^= 1
        try write(changed, to: path + "/" + name)
        let isIntact = (try? CaseVerifier.verify(path, key: key))?.summary == "INTACT"
        #expect(!isIntact, "\(name) with the key")
        // `secret` is not in the manifest: a copy without it is whole.
        let isIntactToOthers = try CaseVerifier.verify(path).summary == "INTACT"
        #expect(isIntactToOthers == (name == "secret"), "\(name) without")
      }
      try write(original, to: path + "/" + name)
    }
    #expect(try CaseVerifier.verify(path, key: key).summary == "INTACT")
  }

  @Test("Frames cannot be cut off, swapped, or brought from another content")
  func frames() throws {
    let key = try self.key()
    let keys = try #require(
      try CaseEncryption.keys(of: self.record(self.events(1...1), key), key)
    )
    let contents = ["first", "second"].map { Bytes(String(repeating: $0, count: 40_000)) }
    let path = self.cases.path + "/test"
    var parts: [[[UInt8]]] = []
    for (number, content) in contents.enumerated() {
      var sealer = BodySealer(keys, number: keys.fileNumber(UInt64(100 + number)))
      var pieces: [[UInt8]] = []
      for start in stride(from: 0, to: content.count, by: BodyLayout.frameContent) {
        var piece: [UInt8] = []
        let end = min(start + BodyLayout.frameContent, content.count)
        sealer.write(BodyLayout.frame(content.slice(start..<end)), into: &piece)
        pieces.append(piece)
      }
      pieces.append(sealer.end(digest: Digest.sha256.hash(content)))
      parts.append(pieces)
    }
    let digest = Hex.encode(Digest.sha256.hash(contents[0]))
    let file = path + "/" + BodyLayout.relativePath(digest, keys)
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent,
      withIntermediateDirectories: true
    )
    func holds(_ pieces: [[UInt8]]) throws -> Bool {
      try write(pieces.flatMap { $0 }, to: file)
      return try BodyLayout.holds(digest, in: path, keys)
    }
    let (one, two) = (parts[0], parts[1])
    #expect(one.count == 5)
    #expect(try holds(one))
    #expect(try !holds(Array(one.dropLast())))
    #expect(try !holds([one[0], one[1], one[4]]))
    #expect(try !holds([one[0], one[2], one[1], one[3], one[4]]))
    #expect(try !holds([one[0], two[1], one[2], one[3], one[4]]))
    #expect(try !holds(two))
    #expect(try !holds(one + [one[4]]))
    #expect(try !holds([]))
  }

  @Test("A passphrase opens a case too; a short one, or a file that others may read, is refused")
  func passphrases() throws {
    let words = try CaseKey.passphrase(file: self.file("words", "correct horse battery\n"))
    let path = try self.record(self.events(1...1), words)
    let typed = try CaseKey.passphrase(typed: Array("correct horse battery".utf8))
    #expect(try self.flows(path, typed).count == 1)
    let wrong = try CaseKey.passphrase(typed: Array("correct horse batterx".utf8))
    #expect(self.code { _ = try CaseReader(path, key: wrong) } == .wrongKey)
    #expect(self.code { _ = try CaseReader(path, key: try self.key()) } == .wrongKey)
    #expect(self.code { _ = try CaseKey.passphrase(typed: Array("elevenchars".utf8)) } == .badKey)
    let open = try self.file("open", "correct horse battery", mode: 0o644)
    #expect(self.code { _ = try CaseKey.passphrase(file: open) } == .badKey)
    #expect(self.code { _ = try CaseKey.key(file: open) } == .badKey)
    let short = try self.file("short", String(repeating: "7", count: 63))
    #expect(self.code { _ = try CaseKey.key(file: short) } == .badKey)
    #expect(self.code { _ = try CaseKey.key(file: self.cases.path + "/none") } == .badKey)
  }

  @Test("What a purge removes is known to both: to the owner by content, to a stranger by file")
  func purge() throws {
    let key = try self.key()
    let signing = try SigningKey.generate()
    for name in ["open", "sealed"] {
      let path = try self.record(
        self.events(),
        key,
        name: name,
        seal: name == "sealed" ? signing : nil
      )
      let count = try self.files(of: path).count { $0.hasPrefix("bodies/") }
      let selection = PurgeSelection(reason: "command: all", keepsFindings: false)
      let summary = try CasePurge.purge(
        path,
        selection,
        key: signing,
        caseKey: key,
        at: Play.time(9_000)
      )
      #expect(summary.contents > 0)
      #expect(try self.files(of: path).count { $0.hasPrefix("bodies/") } < count)
      #expect(try CaseVerifier.verify(path, key: key).summary == "INTACT", "\(name)")
      #expect(try CaseVerifier.verify(path).summary == "INTACT", "\(name)")
    }
  }

  @Test(
    "A purge may take files of wire/ alone, of a sealed case too; with the key and without it that verifies"
  )
  func purgeOfWire() throws {
    let key = try self.key()
    let signing = try SigningKey.generate()
    // Both flows have the same contents, and the second keeps them, by its finding.
    let events = try (1...2 as ClosedRange<UInt64>).flatMap { number in
      try Play.exchange(number, findings: number == 2 ? [Play.finding()] : []) + [
        .secret(ConnectionID(number), line: Bytes(String(repeating: "s", count: 80)))
      ]
    }
    let path = try self.record(events, key, seal: signing, segmentSize: 64)
    let before = Set(try self.files(of: path))
    let summary = try CasePurge.purge(
      path,
      PurgeSelection(reason: "command: all"),
      key: signing,
      caseKey: key,
      at: Play.time(9_000)
    )
    #expect(summary.contents == 0 && summary.wireFiles == 1)
    #expect(before.subtracting(try self.files(of: path)) == ["wire/000001.bin"])
    #expect(try CaseVerifier.verify(path, key: key).summary == "INTACT")
    #expect(try CaseVerifier.verify(path).summary == "INTACT")
    // What is gone without a line that says so is missed by both.
    try FileManager.default.removeItem(atPath: path + "/wire/000002.bin")
    for key in [key, nil] {
      #expect(try CaseVerifier.verify(path, key: key).summary.hasPrefix("ALTERED"))
    }
  }
}
