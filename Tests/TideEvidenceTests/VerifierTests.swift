import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct VerifierTests {
  private let cases = CasesFolder()

  private func verify(_ path: String) throws -> VerificationReport.Outcome {
    try CaseVerifier.verify(path).outcome
  }

  private func alteredAt(_ outcome: VerificationReport.Outcome) -> UInt64? {
    if case .altered(let sequence, _) = outcome { return sequence }
    return nil
  }

  private func isAltered(_ outcome: VerificationReport.Outcome) -> Bool {
    if case .altered = outcome { return true }
    return false
  }

  @Test("A case that was left alone is intact, sealed or not")
  func intact() throws {
    let path = try self.cases.record(Play.exchange())
    let open = try CaseVerifier.verify(path)
    #expect(open.summary == "INTACT")
    #expect(!open.isSealed)
    #expect(open.text.contains("not sealed"))
    try CaseSealer.seal(path, key: .generate(), at: Play.time(0))
    let sealed = try CaseVerifier.verify(path)
    #expect(sealed.summary == "INTACT", "\(sealed.text)")
    #expect(sealed.isSealed)
    #expect(sealed.lines == open.lines + 1)
  }

  @Test("One flipped bit anywhere in a line is named with that line's number")
  func flippedByte() throws {
    let path = try self.cases.record(Play.exchange())
    let file = LogReader.path(of: 1, in: path)
    let original = try read(file)
    let lines = try logLines(path)
    let start = lines[..<7].reduce(0) { $0 + $1.count + 1 }
    for offset in 0...lines[7].count {  // the newline too
      var copy = original
      copy[start + offset] ^= 0x02
      try write(copy, to: file)
      #expect(self.alteredAt(try self.verify(path)) == 8, "byte \(offset)")
    }
  }

  @Test("Swapped, deleted and inserted lines are found where they are")
  func movedLines() throws {
    let path = try self.cases.record(Play.exchange())
    let file = LogReader.path(of: 1, in: path)
    let lines = try logLines(path)
    func outcome(_ change: (inout [[UInt8]]) -> Void) throws -> VerificationReport.Outcome {
      var changed = lines
      change(&changed)
      try write(changed.flatMap { $0 + [0x0A] }, to: file)
      return try self.verify(path)
    }
    #expect(self.alteredAt(try outcome { $0.swapAt(4, 5) }) == 5)
    #expect(self.alteredAt(try outcome { $0.remove(at: 3) }) == 4)
    #expect(self.alteredAt(try outcome { $0.insert($0[2], at: 6) }) == 7)
    #expect(self.alteredAt(try outcome { $0.removeFirst() }) == 1)
  }

  @Test("A line forged with a right hash of its own breaks at the next one")
  func forgedLine() throws {
    let path = try self.cases.record(Play.exchange())
    var lines = try logLines(path)
    let forged = String(decoding: lines[5], as: UTF8.self)
      .replacingOccurrences(of: "TLSv1.3", with: "TLSv1.2")
    let hashed = Bytes(Array(forged.utf8.dropLast(LineTail.length)))
    let previous = Array(String(decoding: lines[4], as: UTF8.self).dropLast(2).suffix(64).utf8)
    lines[5] =
      hashed.array + LineTail.opening + LineTail.hash(hashed, after: previous) + Array("\"}".utf8)
    try write(lines.flatMap { $0 + [0x0A] }, to: LogReader.path(of: 1, in: path))
    #expect(self.alteredAt(try self.verify(path)) == 7)
  }

  @Test("A body that was altered, cut or removed is named with the line that refers to it")
  func alteredBody() throws {
    let path = try self.cases.record(Play.exchange())
    let objects = try logObjects(path)
    let index = try #require(objects.firstIndex { $0["type"] as? String == "body" })
    let digest = try #require(objects[index]["sha256"] as? String)
    let file = path + "/" + BodyLayout.relativePath(digest)
    let original = try read(file)
    var swapped = original
    swapped[swapped.count - 2] ^= 1
    for bytes in [swapped, Array(original.dropLast()), [], [1, 2, 3, 4, 5, 6]] {
      try write(bytes, to: file)
      #expect(self.alteredAt(try self.verify(path)) == UInt64(index + 1))
    }
    try FileManager.default.removeItem(atPath: file)
    #expect(self.alteredAt(try self.verify(path)) == UInt64(index + 1))
  }

  @Test("A line of findings.ndjson that differs from the log is named with the finding's number")
  func alteredFinding() throws {
    let path = try self.cases.record(Play.exchange())
    let file = path + "/findings.ndjson"
    let text = String(decoding: try read(file), as: UTF8.self)
    try write(text.replacingOccurrences(of: "imei\",\"c", with: "imsi\",\"c").utf8, to: file)
    #expect(self.alteredAt(try self.verify(path)) == 9)
  }

  @Test("case.json that is not the one the log began with is found")
  func alteredDescription() throws {
    let path = try self.cases.record(Play.exchange())
    let text = String(decoding: try read(path + "/case.json"), as: UTF8.self)
    try write(
      text.replacingOccurrences(of: "Tester", with: "Cheater").utf8,
      to: path + "/case.json"
    )
    #expect(try self.verify(path) == .altered(at: nil, what: "case.json"))
  }

  @Test(
    "In a sealed case, any change to the manifest, its signature, a file or the log's end shows"
  )
  func sealedChanges() throws {
    let key = try SigningKey.generate()
    let path = try self.cases.record(Play.exchange(), seal: key)
    func problem(_ name: String, _ bytes: [UInt8]?) throws -> String {
      let file = path + "/" + name
      let original = FileManager.default.fileExists(atPath: file) ? try read(file) : nil
      if let bytes {
        try write(bytes, to: file)
      } else {
        try FileManager.default.removeItem(atPath: file)
      }
      let summary = try CaseVerifier.verify(path).summary
      if let original {
        try write(original, to: file)
      } else {
        try FileManager.default.removeItem(atPath: file)
      }
      return summary
    }
    let manifest = String(decoding: try read(path + "/manifest.json"), as: UTF8.self)
    let changed = manifest.replacingOccurrences(of: "\"case\":\"test\"", with: "\"case\":\"tent\"")
    #expect(try problem("manifest.json", Array(changed.utf8)).hasPrefix("ALTERED (manifest.json"))
    #expect(try problem("manifest.sig", [0]).hasPrefix("ALTERED (manifest.json"))
    #expect(try problem("manifest.sig", nil).hasPrefix("ALTERED (manifest.json"))
    #expect(try problem("signer.pem", SigningKey.generate().publicKeyPEM).hasPrefix("ALTERED"))
    #expect(try problem("VERIFY.txt", [0]) == "ALTERED (VERIFY.txt was altered)")
    #expect(try problem("VERIFY.txt", nil) == "ALTERED (VERIFY.txt is missing)")
    #expect(try problem("bodies/extra", [0]) == "ALTERED (bodies/extra is not in the manifest)")
    let lines = try logLines(path)
    let cut: [UInt8] = lines.dropLast(2).flatMap { $0 + [0x0A] }
    #expect(try problem("log/000001.ndjson", cut) == "INCOMPLETE from seq \(lines.count - 1)")
    #expect(try problem("flows.sqlite", [0]) == "INTACT")
    #expect(try CaseVerifier.verify(path).summary == "INTACT")
  }

  @Test("A file of wire/ is held to what the log states of it; bytes after that are not yet")
  func wire() throws {
    var settings = RecorderSettings()
    settings.keepsWire = true
    let secrets = (1...3).map { FlowEvent.secret(ConnectionID($0), line: "CLIENT_RANDOM 00 00") }
    let path = try self.cases.record(secrets, settings: settings)
    let index = try #require(try logObjects(path).firstIndex { $0["type"] as? String == "wire" })
    let file = path + "/wire/000001.bin"
    let whole = try read(file)
    for place in whole.indices {
      var copy = whole
      copy[place] ^= 0x10
      try write(copy, to: file)
      #expect(self.alteredAt(try self.verify(path)) == UInt64(index + 1), "byte \(place)")
    }
    try write(whole.dropLast(), to: file)
    #expect(self.alteredAt(try self.verify(path)) == UInt64(index + 1))
    try write(whole + [2, 0], to: file)
    #expect(try self.verify(path) == .intact)
  }

  @Test("A log that was made anew below a tree head does not have the root that was signed")
  func forgedLog() throws {
    var settings = RecorderSettings()
    settings.signingKey = try SigningKey.generate()
    settings.fsyncInterval = 3_600_000_000_000
    let recorder = try self.cases.recorder(settings: settings)
    for event in try Play.exchange() { _ = recorder.offer(event) }
    try recorder.close(seal: false)
    let path = self.cases.path + "/test"
    #expect(try self.verify(path) == .intact)
    let fingerprint = try #require(SignerFile.fingerprint(in: path))
    #expect(try CaseVerifier.verify(path, signer: fingerprint).outcome == .intact)
    let other = String(repeating: "0", count: 64)
    #expect(try CaseVerifier.verify(path, signer: other).summary == "ALTERED (signer)")
    var previous = [UInt8](repeating: 0x30, count: 64)
    var lines: [[UInt8]] = []
    for line in try logLines(path) {
      let text = String(decoding: line, as: UTF8.self)
        .replacingOccurrences(of: "TLSv1.3", with: "TLSv1.2")
      let parts = text.components(separatedBy: ",\"prev\":\"")
      let rest = parts[1].dropFirst(64).utf8.dropLast(LineTail.length)
      let hashed = Bytes(Array((parts[0] + ",\"prev\":\"").utf8) + previous + Array(rest))
      previous = LineTail.hash(hashed, after: previous)
      lines.append(hashed.array + LineTail.opening + previous + Array("\"}".utf8))
    }
    try write(lines.flatMap { $0 + [0x0A] }, to: LogReader.path(of: 1, in: path))
    let head = try #require(
      try logObjects(path).firstIndex { $0["type"] as? String == "tree-head" }
    )
    let summary = try CaseVerifier.verify(path).summary
    #expect(summary == "ALTERED at seq \(head + 1) (its tree head has another root)")
  }

  @Test("signer.pem, the secret and findings.ndjson are held to the log, byte for byte")
  func openFiles() throws {
    var settings = RecorderSettings()
    settings.signingKey = try SigningKey.generate()
    let recorder = try self.cases.recorder(settings: settings)
    for event in try Play.exchange() { _ = recorder.offer(event) }
    try recorder.close(seal: false)
    let path = self.cases.path + "/test"
    for name in ["signer.pem", "secret", "findings.ndjson", "case.json"] {
      let whole = try read(path + "/" + name)
      for place in whole.indices {
        var copy = whole
        copy[place] ^= 0x01
        try write(copy, to: path + "/" + name)
        let outcome = try self.verify(path)
        #expect(self.isAltered(outcome), "\(name), byte \(place): \(outcome)")
      }
      if name != "secret" {
        try FileManager.default.removeItem(atPath: path + "/" + name)
        #expect(self.isAltered(try self.verify(path)), "\(name)")
      }
      try write(whole, to: path + "/" + name)
    }
    #expect(try self.verify(path) == .intact)
  }

  @Test("A missing segment is named with the first line that it held")
  func missingSegment() throws {
    var settings = RecorderSettings()
    settings.segmentSize = 8_192
    let path = try self.cases.record((1...10).flatMap { try Play.exchange($0) }, settings: settings)
    let first = try #require(try logObjects(path, segment: 2).first?["seq"] as? Int)
    try FileManager.default.removeItem(atPath: LogReader.path(of: 2, in: path))
    #expect(self.alteredAt(try self.verify(path)) == UInt64(first))
  }

  @Test("The commands of VERIFY.txt succeed on a sealed case and fail once a file is changed")
  func verifyText() throws {
    let path = try self.cases.record(Play.exchange(), seal: .generate())
    let commands = String(decoding: try read(path + "/VERIFY.txt"), as: UTF8.self)
      .split(separator: "\n")
      .filter { $0.hasPrefix("openssl ") || $0.hasPrefix("sed ") || $0.hasPrefix("find ") }
      .map(String.init)
    try #require(commands.count == 4)
    func run(_ command: String) throws -> (status: Int32, output: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "cd '\(path)' && { \(command); } 2>&1"]
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let output = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
    let fingerprint = try run(commands[0]).output.prefix(64)
    #expect(try CaseVerifier.verify(path).text.contains(fingerprint))
    #expect(try run(commands[1]) == (0, "Signature Verified Successfully\n"))
    #expect(try run(commands[2]) == (0, ""))
    #expect(try run(commands[3]) == (0, ""))
    try write([1], to: path + "/VERIFY.txt")
    #expect(try run(commands[2]).status != 0)
    try write([1], to: path + "/log/000002.ndjson")
    #expect(try run(commands[3]).output == "not in the manifest: log/000002.ndjson\n")
    let manifest = try read(path + "/manifest.json")
    try write(manifest + [0x20], to: path + "/manifest.json")
    #expect(try run(commands[1]).status != 0)
  }

  @Test("A folder without a log is no case")
  func noCase() throws {
    let failure = #expect(throws: EvidenceFailure.self) { try CaseVerifier.verify(self.cases.path) }
    #expect(failure?.code == .notACase)
  }
}
