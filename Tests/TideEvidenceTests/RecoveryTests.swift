import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct RecoveryTests {
  private let cases = CasesFolder()

  @Test("A log cut at any byte of its last lines verifies up to the cut, opens, and goes on")
  func cutAnywhere() throws {
    let path = try self.cases.record(Play.exchange(1) + Play.exchange(2))
    let whole = try read(LogReader.path(of: 1, in: path))
    let lines = try logLines(path)
    let start = whole.count - lines.suffix(3).reduce(0) { $0 + $1.count + 1 }
    let copy = try self.cases.copy("test", to: "copy")
    let file = LogReader.path(of: 1, in: copy)
    for length in start...whole.count {
      try write(whole[..<length], to: file)
      let kept = UInt64(whole[..<length].count { $0 == 0x0A })
      let isTorn = whole[length - 1] != 0x0A
      let before = try CaseVerifier.verify(copy)
      #expect(before.lines == kept)
      #expect(before.outcome == (isTorn ? .incomplete(from: kept + 1) : .intact))

      let folder = try self.cases.open("copy")
      #expect(folder.tail.chain.sequence == kept)
      let end = try #require(whole[..<length].lastIndex(of: 0x0A))
      let torn = length - 1 - end
      #expect(folder.tail.tornBytes == UInt64(torn))
      #expect(folder.nextFlowNumber == 3)
      guard length.isMultiple(of: 61) || length == whole.count - 1 else { continue }
      try EvidenceRecorder(case: folder, settings: RecorderSettings(), log: { _ in }).close(
        seal: false
      )
      #expect(try CaseVerifier.verify(copy).outcome == .intact)
      let next = try logObjects(copy)[Int(kept)]
      #expect(next["type"] as? String == (isTorn ? "recovered" : "start"))
      if isTorn { #expect(next["bytes"] as? Int == torn) }
    }
  }

  @Test("A case that is continued keeps its numbers and its chain, and says so")
  func continued() throws {
    try self.cases.record(Play.exchange(1))
    let folder = try self.cases.open()
    #expect(folder.isContinued)
    #expect(folder.nextFlowNumber == 2)
    #expect(folder.nextConnectionNumber == 2)
    let recorder = try EvidenceRecorder(case: folder, settings: RecorderSettings(), log: { _ in })
    for event in try Play.exchange(folder.nextFlowNumber) { _ = recorder.offer(event) }
    try recorder.close(seal: false)
    let starts = try logObjects(folder.path).filter { $0["type"] as? String == "start" }
    #expect(starts.map { $0["continued"] as? Bool } == [false, true])
    #expect(try CaseVerifier.verify(folder.path).outcome == .intact)
  }

  @Test("A crash while a new segment begins loses nothing before it")
  func cutAtRotation() throws {
    var settings = RecorderSettings()
    settings.segmentSize = 8_192
    let path = try self.cases.record((1...10).flatMap { try Play.exchange($0) }, settings: settings)
    let last = try #require(try LogReader(root: path).segments.last)
    let file = LogReader.path(of: last, in: path)
    try write(try read(file).prefix(40), to: file)
    let lines = try logObjects(path, segment: last - 1)
    let folder = try self.cases.open()
    #expect(folder.tail.chain.sequence == UInt64(try #require(lines.last?["seq"] as? Int)))
    #expect(folder.tail.segment == last)
    #expect(folder.tail.tornBytes == 40)
    try EvidenceRecorder(case: folder, settings: settings, log: { _ in }).close(seal: false)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    #expect(try logObjects(path, segment: last).first?["type"] as? String == "segment")
  }

  @Test("findings.ndjson that lacks lines, or has some that the log lost, is made anew")
  func findingsRepaired() throws {
    let path = try self.cases.record(Play.exchange(1) + Play.exchange(2))
    let file = path + "/findings.ndjson"
    let whole = try read(file)
    for bytes in [Array(whole.prefix(100)), whole + whole, []] {
      try write(bytes, to: file)
      _ = try self.cases.open()
      #expect(try read(file) == whole)
    }
  }

  @Test("Lines that only findings.ndjson still has show that the log was cut")
  func findingsAhead() throws {
    let path = try self.cases.record(Play.exchange(1))
    let kept = try logLines(path).prefix(5)
    try write(kept.flatMap { $0 + [0x0A] }, to: LogReader.path(of: 1, in: path))
    #expect(try CaseVerifier.verify(path).outcome == .incomplete(from: 6))
  }

  @Test("A case with an altered line that a tree head covers is not continued")
  func alteredEnd() throws {
    let path = try self.cases.record(Play.exchange(1))
    let file = LogReader.path(of: 1, in: path)
    let whole = try read(file)
    let head = try #require(try logLines(path).last).count + 1
    for offset in [head + 90, head + 2, whole.count / 2, whole.count - 30] {
      var bytes = whole
      bytes[bytes.count - offset] ^= 1
      try write(bytes, to: file)
      let failure = #expect(throws: EvidenceFailure.self) { try self.cases.open() }
      #expect(failure?.code == .malformed)
      #expect(failure?.detail.contains("was altered or removed") == true)
    }
  }

  @Test("A sealed case is refused, and so is a second writer, a bad name and what is no case")
  func refusals() throws {
    let path = try self.cases.record(Play.exchange(1), seal: .generate())
    func code(_ name: String) -> EvidenceFailure.Code? {
      do throws(EvidenceFailure) {
        _ = try CaseFolder.open(
          name,
          in: self.cases.path,
          description: CaseDescription(mode: "record", toolVersion: "0.1.0"),
          at: Play.time(0)
        )
        return nil
      } catch {
        return error.code
      }
    }
    #expect(CaseFolder.isSealed(path))
    #expect(code("test") == .sealed)
    let held = try self.cases.open("held")
    #expect(code("held") == .inUse)
    #expect(held.nextFlowNumber == 1)
    for name in ["", "..", "a/b", ".hidden", "a\nb"] { #expect(code(name) == .badName) }
    let failure = #expect(throws: EvidenceFailure.self) {
      try CaseSealer.seal(self.cases.path + "/held", key: .generate(), at: Play.time(0))
    }
    #expect(failure?.code == .inUse)
  }

  @Test("`auto` names cases by the day and the next free letter")
  func automaticNames() throws {
    var held: [CaseFolder] = []
    for _ in 0..<28 { held.append(try self.cases.open("auto")) }
    #expect(held.first?.name == "2026-11-22-a")
    #expect(held[25].name == "2026-11-22-z")
    #expect(held[27].name == "2026-11-22-ab")
    #expect(try CaseFolder.names(in: self.cases.path).count == 28)
  }

  @Test("The signing key is made once, for its owner alone, and refused if others can read it")
  func signingKey() throws {
    let first = try CaseFolder.signingKey(in: self.cases.path)
    #expect(try CaseFolder.signingKey(in: self.cases.path).sign([1]) == first.sign([1]))
    let path = self.cases.path + "/signing.key"
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    let failure = #expect(throws: EvidenceFailure.self) {
      try CaseFolder.signingKey(in: self.cases.path)
    }
    #expect(failure?.detail.contains("chmod 600") == true)
  }
}
