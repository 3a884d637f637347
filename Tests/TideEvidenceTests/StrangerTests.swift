import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

/// What others can do with a case by its description alone.
@Suite struct StrangerTests {
  private static let python = "/usr/bin/python3"
  private let cases = CasesFolder()

  /// The last line that docs/verify/verify.py prints of a case.
  private func conclusion(_ path: String) throws -> String {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .resolvingSymlinksInPath()
    let script = tests.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/verify/verify.py").path
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.python)
    process.arguments = [script, path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return String(output.split(separator: "\n").last ?? "")
  }

  @Test(
    "The verifier of docs/verify, which shares no code with ours, comes to the same conclusions",
    .enabled(if: FileManager.default.isExecutableFile(atPath: python))
  )
  func independentVerifier() throws {
    let open = try self.cases.record(Play.exchange(1) + Play.exchange(2), name: "open")
    let sealed = try self.cases.record(Play.exchange(), name: "sealed", seal: .generate())
    var settings = RecorderSettings()
    settings.segmentSize = 8_192
    let long = try self.cases.record(
      (1...8).flatMap { try Play.exchange($0) },
      name: "long",
      settings: settings
    )
    func agree(_ path: String, _ summary: String) throws {
      let ours = try CaseVerifier.verify(path).summary
      #expect(ours.hasPrefix(summary))
      #expect(try self.conclusion(path).hasPrefix(summary), "ours: \(ours)")
    }
    var events = try Play.exchange()
    for (payload, size) in [("hello", 5), ("", 0), ("start", 9_000_000)] as [(Bytes, UInt64)] {
      let message = SocketMessage(
        kind: .text,
        payload: payload,
        size: size,
        frames: 1,
        isCompressed: false
      )
      events.insert(.message(FlowID(1), .request, .original, message, time: Play.time(9)), at: 7)
    }
    let socket = try self.cases.record(events, name: "socket")
    settings.keepsWire = true
    let secrets = (1...3).map { FlowEvent.secret(ConnectionID($0), line: "CLIENT_RANDOM 00 00") }
    let keys = try self.cases.record(secrets, name: "keys", settings: settings)
    let hidden = try self.cases.recordEncrypted(Play.exchange(1) + Play.exchange(2), name: "hidden")
    for path in [open, sealed, long, socket, keys, hidden] { try agree(path, "INTACT") }
    let secretLog = LogReader.path(of: 1, in: hidden)
    var sealedLines = try read(secretLog)
    sealedLines[sealedLines.count / 2] ^= 1
    try write(sealedLines, to: secretLog)
    try agree(hidden, "ALTERED at seq")
    try forgetWire(keys)
    let wire = try read(keys + "/wire/000001.bin")
    try write(wire.dropLast(7), to: keys + "/wire/000001.bin")
    try agree(keys, "INTACT")
    let payload = Hex.encode(Digest.sha256.hash("start" as Bytes))
    try FileManager.default.removeItem(atPath: socket + "/" + BodyLayout.relativePath(payload))
    try agree(socket, "ALTERED at seq 9 (body \(payload) is missing)")
    let file = LogReader.path(of: 1, in: open)
    let whole = try read(file)
    let lines = try logLines(open)
    try write(whole.dropLast(10), to: file)
    try agree(open, "INCOMPLETE from seq \(lines.count)")
    var changed = whole
    changed[lines[0].count + lines[1].count + 60] ^= 1
    try write(changed, to: file)
    try agree(open, "ALTERED at seq 3")
    try FileManager.default.removeItem(atPath: LogReader.path(of: 2, in: long))
    try agree(long, "ALTERED at seq")
    try write([1], to: sealed + "/VERIFY.txt")
    try agree(sealed, "ALTERED (VERIFY.txt was altered)")
  }

  @Test(
    "Both verifiers come to the same conclusions about wire/, open and sealed",
    .enabled(if: FileManager.default.isExecutableFile(atPath: python))
  )
  func wire() throws {
    var settings = RecorderSettings()
    settings.keepsWire = true
    settings.segmentSize = 300
    let line = Bytes("CLIENT_RANDOM " + String(repeating: "a", count: 80))
    let secrets = (1...9).map { FlowEvent.secret(ConnectionID($0), line: line) }
    let open = try self.cases.record(secrets, name: "open", settings: settings)
    let sealed = try self.cases.record(
      secrets,
      name: "sealed",
      settings: settings,
      seal: .generate()
    )
    func agree(_ path: String, _ summary: String, _ bytes: [UInt8]? = nil, in name: String) throws {
      let file = path + "/wire/" + name
      let whole = try read(file)
      defer { try? write(whole, to: file) }
      if let bytes {
        try write(bytes, to: file)
      } else {
        try FileManager.default.removeItem(atPath: file)
      }
      let ours = try CaseVerifier.verify(path).summary
      #expect(ours == summary)
      #expect(gist(try self.conclusion(path)) == gist(summary), "ours: \(ours)")
    }
    try forgetWire(open)
    let files = try WireFormat.segments(in: open).map {
      String(WireFormat.relativePath(of: $0).dropFirst(5))
    }
    let (first, last) = (files[0], try #require(files.last))
    #expect(files.count > 2)
    let zeros = [UInt8](repeating: 0, count: 4_096)
    for name in [first, last] {
      let whole = try read(open + "/wire/" + name)
      var otherVersion = whole
      otherVersion[11] = 2
      var zeroKind = whole
      zeroKind[16] = 0
      let isLast = name == last
      let noRecord = "ALTERED (wire/\(name) has what is no record)"
      let half = "ALTERED (wire/\(name) ends in half a record)"
      try agree(open, "INTACT", whole, in: name)
      try agree(open, noRecord, otherVersion, in: name)
      try agree(open, noRecord, Array("hello".utf8), in: name)
      for bytes in [zeroKind, whole + zeros, zeros, [0]] {
        try agree(open, isLast ? "INTACT" : noRecord, bytes, in: name)
      }
      let halves: [[UInt8]] = [whole + [9, 0, 0], whole.dropLast(7), Array(whole.prefix(9))]
      for bytes in halves {
        try agree(open, isLast ? "INTACT" : half, bytes, in: name)
      }
      try agree(open, "INTACT", [], in: name)
      if !isLast { try agree(open, "ALTERED (wire/\(name) is missing)", in: name) }

      let sealedWhole = try read(sealed + "/wire/" + name)
      var flipped = sealedWhole
      flipped[60] ^= 1
      try agree(sealed, "INTACT", sealedWhole, in: name)
      for bytes in [flipped, sealedWhole + zeros, sealedWhole + [0], zeros, []] {
        try agree(sealed, "ALTERED (wire/\(name) was altered)", bytes, in: name)
      }
      try agree(sealed, "ALTERED (wire/\(name) is missing)", in: name)
    }
  }
}
