import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct WireTests {
  private let cases = CasesFolder()

  private var keeping: RecorderSettings {
    var settings = RecorderSettings()
    settings.keepsWire = true
    return settings
  }

  private func line(_ number: Int) -> Bytes {
    Bytes("CLIENT_TRAFFIC_SECRET_0 \(number) " + String(repeating: "5e", count: 32))
  }

  private func secrets(_ count: Int) -> [FlowEvent] {
    (1...count).map { .secret(ConnectionID(UInt64($0)), line: self.line($0)) }
  }

  /// The records of a file, read as docs/evidence-format.md says and by nothing of ours.
  private func records(_ bytes: [UInt8]) -> [(kind: UInt8, connection: Int, time: Int, Bytes)] {
    func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 << 8 | Int($1) } }
    var records: [(UInt8, Int, Int, Bytes)] = []
    var index = 16
    while index < bytes.count {
      let length = number(index + 17..<index + 21)
      let content = Bytes(Array(bytes[index + 21..<index + 21 + length]))
      records.append(
        (bytes[index], number(index + 1..<index + 9), number(index + 9..<index + 17), content)
      )
      index += 21 + length
    }
    return records
  }

  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test("The key log lies in wire/, for its owner alone, and nothing of it elsewhere in the case")
  func keyLog() throws {
    let before = WallTime.now.nanoseconds
    let path = try self.cases.record(
      self.secrets(2) + Play.exchange(3),
      settings: self.keeping
    )
    let file = path + "/wire/000001.bin"
    let bytes = try read(file)
    #expect(bytes.prefix(16) == Array("TIDEWIRE".utf8)[...] + [0, 0, 0, 1, 0, 0, 0, 1])
    let records = self.records(bytes)
    #expect(records.map(\.kind) == [1, 1])
    #expect(records.map(\.connection) == [1, 2])
    #expect(records.map(\.3) == [self.line(1), self.line(2)])
    #expect(records.allSatisfy { ($0.time - Int(before)) / 1_000_000_000 < 60 })
    #expect(try self.mode(file) == 0o600)
    #expect(try self.mode(path + "/wire") == 0o700)
    for entry in try Folder.files(below: path) where !entry.path.hasPrefix("wire/") {
      let others = try Data(contentsOf: URL(fileURLWithPath: path + "/" + entry.path))
      #expect(others.range(of: Data("CLIENT_TRAFFIC".utf8)) == nil, "\(entry.path)")
    }
    #expect(try logObjects(path)[0]["keeps_wire"] as? Bool == true)
  }

  @Test("Without case.wire no key is kept; with it, no file before there is a key")
  func notKept() throws {
    let without = try self.cases.record(self.secrets(1) + Play.exchange(1), name: "without")
    #expect(!FileManager.default.fileExists(atPath: without + "/wire"))
    #expect(try logObjects(without)[0]["keeps_wire"] as? Bool == false)
    let empty = try self.cases.record(Play.exchange(1), name: "empty", settings: self.keeping)
    #expect(!FileManager.default.fileExists(atPath: empty + "/wire"))
    #expect(try CaseVerifier.verify(empty).outcome == .intact)
  }

  @Test(
    "Cut at any byte, wire/ is cut back to its last whole record, which the log says, and goes on"
  )
  func cutAnywhere() throws {
    let path = try self.cases.record(self.secrets(3), settings: self.keeping)
    try forgetWire(path)
    let file = path + "/wire/000001.bin"
    let whole = try read(file)
    let recordSize = 21 + self.line(1).count
    for length in 0...whole.count {
      try write(whole.prefix(length), to: file)
      let kept = length < 16 ? 0 : 16 + (length - 16) / recordSize * recordSize
      #expect(try CaseVerifier.verify(path).outcome == .intact)
      let folder = try self.cases.open()
      #expect(folder.wireTail.tornBytes == UInt64(length - kept))
      #expect(Folder.size(of: file) == UInt64(kept))
      guard length.isMultiple(of: 47) else { continue }
      let copy = try self.cases.copy("test", to: "copy")
      folder.unlock()
      try write(whole.prefix(length), to: copy + "/wire/000001.bin")
      try self.cases.record(self.secrets(1), name: "copy", settings: self.keeping)
      let records = self.records(try read(copy + "/wire/000001.bin"))
      #expect(
        records.map(\.3) == (1...3).prefix(max(0, kept - 16) / recordSize).map(self.line) + [
          self.line(1)
        ]
      )
      let recovered = try logObjects(copy).filter { $0["type"] as? String == "wire-recovered" }
      #expect(recovered.map { $0["bytes"] as? Int } == (length == kept ? [] : [length - kept]))
      #expect(try CaseVerifier.verify(copy).outcome == .intact)
    }
  }

  @Test("Half a record that a killed recorder left is cut before a case is sealed")
  func sealedAfterKill() throws {
    let path = try self.cases.record(self.secrets(2), settings: self.keeping)
    try forgetWire(path)
    let file = path + "/wire/000001.bin"
    try write(try read(file).dropLast(5), to: file)
    #expect(try CaseVerifier.verify(path).text.contains("wire: -, 1 records, then half a one"))
    try CaseSealer.seal(path, key: .generate(), at: Play.time(0))
    #expect(try CaseVerifier.verify(path).summary == "INTACT")
    #expect(self.records(try read(file)).count == 1)
    #expect(try logObjects(path).suffix(3).first?["type"] as? String == "wire-recovered")
  }

  @Test("A byte of wire/ that is altered after sealing shows, and so does a file that is missing")
  func altered() throws {
    let path = try self.cases.record(
      self.secrets(2),
      settings: self.keeping,
      seal: .generate()
    )
    #expect(try CaseVerifier.verify(path).text.contains("wire: ok, 2 records"))
    let file = path + "/wire/000001.bin"
    var bytes = try read(file)
    bytes[bytes.count - 1] ^= 1
    try write(bytes, to: file)
    #expect(try CaseVerifier.verify(path).summary == "ALTERED (wire/000001.bin was altered)")
    try FileManager.default.removeItem(atPath: file)
    #expect(try CaseVerifier.verify(path).summary == "ALTERED (wire/000001.bin is missing)")
  }

  @Test("Another header than the file's own is told, left alone, and written past")
  func foreign() throws {
    let path = try self.cases.record(self.secrets(2), settings: self.keeping)
    try forgetWire(path)
    let file = path + "/wire/000001.bin"
    let whole = try read(file)
    var otherVersion = whole
    otherVersion[11] = 2
    var otherNumber = whole
    otherNumber[15] = 2
    for bytes in [otherVersion, otherNumber, Array("hello".utf8)] {
      try write(bytes, to: file)
      let summary = try CaseVerifier.verify(path).summary
      #expect(summary == "ALTERED (wire/000001.bin has what is no record)")
      let folder = try self.cases.open()
      #expect(folder.wireTail.segment == 2)
      #expect(folder.wireTail.length == 0)
      #expect(try read(file) == bytes)
    }
  }

  @Test("Zeros that a power failure left are cut off, whether the case is continued or sealed")
  func zerosAtTheEnd() throws {
    let path = try self.cases.record(self.secrets(3), settings: self.keeping)
    try forgetWire(path)
    let whole = try read(path + "/wire/000001.bin")
    let recordSize = 21 + self.line(1).count
    // After all records, over the last ones, over the whole file, and more than is read at once.
    for (kept, zeros) in [(3, 4_096), (1, 2 * recordSize), (0, whole.count), (3, 600_000)] {
      let start = kept == 0 ? 0 : 16 + kept * recordSize
      let zeroed = whole.prefix(start) + [UInt8](repeating: 0, count: zeros)
      for isContinued in [false, true] {
        let name = "copy-\(kept)-\(zeros)-\(isContinued)"
        let copy = try self.cases.copy("test", to: name)
        let file = copy + "/wire/000001.bin"
        try write(zeroed, to: file)
        let before = try CaseVerifier.verify(copy)
        #expect(before.outcome == .intact)
        #expect(before.text.contains("wire: -, \(kept) records, then \(zeros) bytes that are none"))
        var expected = (1...3).prefix(kept).map(self.line)
        if isContinued {
          try self.cases.record(self.secrets(1), name: name, settings: self.keeping)
          expected.append(self.line(1))
        }
        try CaseSealer.seal(copy, key: .generate(), at: Play.time(0))
        #expect(try CaseVerifier.verify(copy).summary == "INTACT")
        let bytes = try read(file)
        #expect(bytes.isEmpty ? expected.isEmpty : self.records(bytes).map(\.3) == expected)
        let recovered = try logObjects(copy).filter { $0["type"] as? String == "wire-recovered" }
        #expect(recovered.map { $0["bytes"] as? Int } == [zeros])
        #expect(recovered.map { $0["segment"] as? Int } == [1])
        #expect(try WireFormat.segments(in: copy) == [1])
      }
    }
  }

  @Test("What begins as no record at the end of the last file is cut off as zeros are")
  func noRecordAtTheEnd() throws {
    let path = try self.cases.record(self.secrets(2), settings: self.keeping)
    let file = path + "/wire/000001.bin"
    let whole = try read(file)
    let tooLong = [1] + [UInt8](repeating: 0xFF, count: 40)
    try write(whole + tooLong, to: file)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    #expect(try self.cases.open().wireTail.tornBytes == 41)
    #expect(try read(file) == whole)
  }

  @Test("In any file but the last, and in a sealed case, what is no record is an alteration")
  func zerosElsewhere() throws {
    var settings = self.keeping
    settings.segmentSize = 300
    let path = try self.cases.record(self.secrets(9), settings: settings)
    try forgetWire(path)
    let first = path + "/wire/000001.bin"
    let whole = try read(first)
    for bytes in [whole + [0, 0, 0], whole + [UInt8](repeating: 0, count: 64), [0]] {
      try write(bytes, to: first)
      let summary = try CaseVerifier.verify(path).summary
      #expect(summary.hasPrefix("ALTERED (wire/000001.bin "))
      _ = try self.cases.open()
      #expect(try read(first) == bytes)
    }
    try write(whole, to: first)
    try CaseSealer.seal(path, key: .generate(), at: Play.time(0))
    let last = path + "/wire/000003.bin"
    try write(try read(last) + [UInt8](repeating: 0, count: 64), to: last)
    let report = try CaseVerifier.verify(path)
    #expect(report.summary == "ALTERED (wire/000003.bin was altered)")
    #expect(report.text.contains("wire/000003.bin has what is no record"))
  }

  @Test("Files of other names are none of ours, however large their number")
  func otherNames() throws {
    let path = try self.cases.record(self.secrets(2), settings: self.keeping)
    for name in ["1.bin", "9223372036854775807.bin", "000000.bin", "0000-1.bin", "000002.pcapng"] {
      try write([1], to: path + "/wire/" + name)
    }
    #expect(try WireFormat.segments(in: path) == [1])
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("Files grow to the size of a segment, each with its number, and none may be missing")
  func rotation() throws {
    var settings = self.keeping
    settings.segmentSize = 300
    let path = try self.cases.record(self.secrets(9), settings: settings)
    let files = try WireFormat.segments(in: path)
    #expect(files == [1, 2, 3])
    let records = try files.flatMap { segment in
      self.records(try read(WireFormat.path(of: segment, in: path)))
    }
    #expect(records.map(\.3) == (1...9).map(self.line))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    try FileManager.default.removeItem(atPath: WireFormat.path(of: 2, in: path))
    let summary = try CaseVerifier.verify(path).summary
    #expect(summary.hasPrefix("ALTERED at seq "))
    #expect(summary.hasSuffix(" (wire/000002.bin is missing)"))
  }

  @Test("Records of kinds that a later version adds read as records")
  func laterKinds() throws {
    let path = try self.cases.record(self.secrets(1), settings: self.keeping)
    let file = path + "/wire/000001.bin"
    let later: [UInt8] = [200] + [UInt8](repeating: 0, count: 15) + [7, 0, 0, 0, 2, 0xAA, 0xBB]
    try write(try read(file) + later, to: file)
    #expect(try CaseVerifier.verify(path).text.contains("wire: ok, 2 records"))
    var reader = try WireReader(root: path, segment: 1)
    _ = try reader.next()
    #expect(
      try reader.next()
        == WireRecord(
          kind: 200,
          connection: ConnectionID(0),
          time: WallTime(nanoseconds: 7),
          content: Bytes([0xAA, 0xBB])
        )
    )
  }

  @Test("Keys wait for a full disk as all evidence does, and none is lost")
  func fullDisk() throws {
    let storage = TightStorage(room: 2_000)
    var settings = self.keeping
    settings.retryInterval = 1
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    for event in self.secrets(40) { _ = recorder.offer(event) }
    #expect(storage.waitForRefusal())
    storage.give(1 << 20)
    try recorder.close(seal: false)
    let path = self.cases.path + "/test"
    #expect(self.records(try read(path + "/wire/000001.bin")).map(\.3) == (1...40).map(self.line))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    #expect(try logObjects(path).contains { $0["type"] as? String == "gap" })
  }
}
