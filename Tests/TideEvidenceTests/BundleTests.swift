import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct BundleTests {
  private func sealed(_ folder: CasesFolder, _ name: String = "test") throws -> String {
    var events: [FlowEvent] = []
    for flow in 1...3 as ClosedRange<UInt64> {
      events += try Play.exchange(flow, request: Bytes(Array("body \(flow)".utf8)))
    }
    return try folder.record(events, name: name, seal: try SigningKey.generate())
  }

  /// Runs a program and waits for it.
  private func run(_ words: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }

  @Test("tar and zstd make of a bundle a case that verifies, without its secret")
  func unpacked() throws {
    let folder = CasesFolder()
    let root = try self.sealed(folder)
    try write([1], to: root + "/bodies/tmp/left")
    try write([1], to: root + "/flows.sqlite")
    let file = folder.path + "/test.tar.zst"
    let summary = try BundleExporter.export(root, to: file, replaces: false)
    #expect(UInt64(try read(file).count) == summary.file.bytes)
    let target = folder.path + "/elsewhere"
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    #expect(try self.run(["tar", "--zstd", "-xf", file, "-C", target]) == 0)
    let copy = target + "/test"
    #expect(try CaseVerifier.verify(copy).summary == "INTACT")
    for name in ["secret", "flows.sqlite", "bodies/tmp/left"] {
      #expect(!FileManager.default.fileExists(atPath: copy + "/" + name))
    }
    #expect(try read(copy + "/case.json") == (try read(root + "/case.json")))
    let mode = try FileManager.default.attributesOfItem(atPath: copy + "/log")[.posixPermissions]
    #expect(mode as? Int == 0o700)
  }

  @Test("The same case gives the same bytes, wherever it lies and whenever it is bundled")
  func same() throws {
    let folder = CasesFolder()
    let root = try self.sealed(folder)
    let first = try BundleExporter.export(root, to: folder.path + "/a", replaces: false)
    let other = folder.path + "/copy"
    try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
    let copy = try folder.copy("test", to: "copy/test")
    let second = try BundleExporter.export(copy, to: folder.path + "/b", replaces: false)
    #expect(first.file.sha256 == second.file.sha256)
  }

  @Test("An unsealed case is refused, and nothing is written")
  func unsealed() throws {
    let folder = CasesFolder()
    let root = try folder.record(try Play.exchange(1))
    #expect(throws: EvidenceFailure.self) {
      try BundleExporter.export(root, to: folder.path + "/a", replaces: false)
    }
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/a"))
  }

  @Test("Names and sizes that a plain header has no room for are told in pax records")
  func pax() throws {
    let folder = CasesFolder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    let names = [
      "x/" + String(repeating: "n", count: 100),
      String(repeating: "p", count: 150) + "/" + String(repeating: "n", count: 90),
      String(repeating: "n", count: 201), "ü/ä", String(repeating: "p/", count: 200) + "n",
    ]
    var archive: [UInt8] = []
    for name in names { archive += BundleTar.header(name, size: 0, seconds: 1) }
    archive += BundleTar.end
    try write(archive, to: folder.path + "/t.tar")
    let listing = folder.path + "/list"
    let command = "tar --quoting-style=literal -tf \(folder.path)/t.tar > \(listing)"
    #expect(try self.run(["sh", "-c", command]) == 0)
    #expect(
      String(decoding: try read(listing), as: UTF8.self).split(separator: "\n").map(String.init)
        == names
    )
    let large = BundleTar.header("f", size: 9 << 30, seconds: 1)
    #expect(String(decoding: large, as: UTF8.self).contains("19 size=9663676416\n"))
  }
}
