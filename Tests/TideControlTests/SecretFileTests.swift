import Foundation
import Glibc
import Testing
import TideCore

@testable import TideControl

/// A folder for one test, gone afterwards.
final class ScratchFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/tide-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw CancellationError() }
    self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: self.path) }

  /// The permissions of what is called `name`.
  func mode(_ name: String) -> UInt32 {
    var state = stat()
    guard unsafe lstat("\(self.path)/\(name)", &state) == 0 else { return .max }
    return state.st_mode & 0o7777
  }

  /// The names in the folder, or in one in it.
  func names(in folder: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(self.path)/\(folder)").sorted()
  }
}

@Suite struct SecretFileTests {
  @Test("A written file has mode 0600, its content, and leaves no draft behind")
  func writing() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/ca.key"
    try SecretFile.write("secret", to: path)
    #expect(folder.mode("ca.key") == 0o600)
    #expect(try SecretFile.read(path, holding: "CA key") == "secret")
    #expect(try folder.names() == ["ca.key"])
  }

  @Test("A file that is there gives way only when it is told to")
  func replacing() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/ca.key"
    try SecretFile.write("one", to: path)
    let failure = #expect(throws: FileFailure.self) { try SecretFile.write("two", to: path) }
    #expect(failure?.code == .exists)
    #expect(try SecretFile.read(path, holding: "CA key") == "one")
    try SecretFile.write("three", to: path, replacing: true)
    #expect(try SecretFile.read(path, holding: "CA key") == "three")
    #expect(try folder.names() == ["ca.key"])
  }

  @Test("A key that others can read is refused with the command that mends it")
  func exposed() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/ca.key"
    try SecretFile.write("secret", to: path)
    #expect(unsafe chmod(path, 0o644) == 0)
    let failure = #expect(throws: FileFailure.self) {
      try SecretFile.read(path, holding: "CA key")
    }
    #expect(failure?.code == .readableByOthers)
    #expect(
      failure?.description
        == "\(path): mode 0644 lets others read the CA key; run: chmod 600 \(path)"
    )
  }

  @Test("A missing file, a folder, a pipe and an endless file are refused, and none is waited for")
  func oddFiles() throws {
    let folder = try ScratchFolder()
    func code(_ name: String, limit: Int = 64) -> FileFailure.Code? {
      do throws(FileFailure) {
        _ = try SecretFile.read("\(folder.path)/\(name)", holding: "CA key", limit: limit)
        return nil
      } catch {
        return error.code
      }
    }
    #expect(code("nothing") == .missing)
    #expect(unsafe mkdir(folder.path + "/folder", 0o700) == 0)
    #expect(code("folder") == .wrongKind)
    #expect(unsafe mkfifo(folder.path + "/pipe", 0o600) == 0)
    #expect(code("pipe") == .wrongKind)
    try SecretFile.write(Bytes(Array(repeating: 1, count: 65)), to: folder.path + "/large")
    #expect(code("large") == .tooLarge)
    #expect(code("large", limit: 65) == nil)
  }

  @Test("A folder is made with all above it, and one that is there is closed to others")
  func folders() throws {
    let folder = try ScratchFolder()
    try SecretFile.makeFolder(folder.path + "/a/b/")
    #expect(folder.mode("a/b") == 0o700)
    #expect(unsafe mkdir(folder.path + "/open", 0o755) == 0)
    #expect(unsafe chmod(folder.path + "/open", 0o755) == 0)
    try SecretFile.makeFolder(folder.path + "/open")
    #expect(folder.mode("open") == 0o700)
    try SecretFile.write("x", to: folder.path + "/file")
    let failure = #expect(throws: FileFailure.self) {
      try SecretFile.makeFolder(folder.path + "/file")
    }
    #expect(failure?.code == .wrongKind)
  }
}
