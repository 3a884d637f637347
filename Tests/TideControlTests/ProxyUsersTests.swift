import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideControl

@Suite struct ProxyUsersTests {
  // "U*U" at cost 5: the first vector of bcrypt's own test set.
  private static let hash = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
  private static let token = "0123456789abcdef"
  private let folder: ScratchFolder

  init() throws { self.folder = try ScratchFolder() }

  private func write(_ text: String, mode: Int = 0o600) throws -> String {
    let path = self.folder.path + "/users"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  /// What is wrong with a file, without the folder's name.
  private func problems(_ source: (String) -> ProxyUsers.Source, _ text: String) throws -> [String]
  {
    let path = try self.write(text)
    do throws(UserFileFailure) {
      _ = try ProxyUsers(reading: source(path))
      return []
    } catch {
      return error.description.split(separator: "\n").map {
        String($0).replacing(self.folder.path + "/", with: "")
      }
    }
  }

  private func passwords(_ text: String) throws -> [String] {
    try self.problems({ .passwords(path: $0) }, text)
  }

  private func tokens(_ text: String) throws -> [String] {
    try self.problems({ .tokens(path: $0) }, text)
  }

  @Test("A user is known by the right password alone; comments, blank lines and CRLF do no harm")
  func password() throws {
    let path = try self.write("# lab\r\n\r\nredmi:\(Self.hash)\r\n手機:\(Self.hash)\n", mode: 0o644)
    let users = try ProxyUsers(reading: .passwords(path: path))
    #expect(users.count == 2)
    #expect(users.user(of: .basic(user: "redmi", password: "U*U")) == "redmi")
    #expect(users.user(of: .basic(user: "手機", password: "U*U")) == "手機")
    #expect(users.user(of: .basic(user: "redmi", password: "U*V")) == nil)
    #expect(users.user(of: .basic(user: "Redmi", password: "U*U")) == nil)
    #expect(users.user(of: .basic(user: "", password: "U*U")) == nil)
    #expect(users.user(of: .bearer("U*U")) == nil)
  }

  @Test("No user has the name under which the proxy's own requests are recorded")
  func ownName() throws {
    let problem = "tidewaiter is what the proxy's own requests are recorded as"
    #expect(
      try self.passwords("redmi:\(Self.hash)\ntidewaiter:\(Self.hash)") == ["users:2:1: \(problem)"]
    )
    #expect(try self.tokens("tidewaiter:\(Self.token)") == ["users:1:1: \(problem)"])
    #expect(try self.tokens("tidewaiter2:\(Self.token)").isEmpty)
  }

  @Test("What htpasswd -B writes is read")
  func htpasswd() throws {
    let program = "/usr/bin/htpasswd"
    guard FileManager.default.isExecutableFile(atPath: program) else { return }
    let path = self.folder.path + "/made"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-c", "-b", "-B", "-C", "4", path, "redmi", "open sesame"]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let users = try ProxyUsers(reading: .passwords(path: path))
    #expect(users.user(of: .basic(user: "redmi", password: "open sesame")) == "redmi")
    #expect(users.user(of: .basic(user: "redmi", password: "open")) == nil)
  }

  @Test("Whatever is no bcrypt, and each other slip, is told with its line and column")
  func passwordProblems() throws {
    let text = """
      redmi:\(Self.hash)
      md5:$apr1$8sFt66rZ$vXLLlJ5vNnSDlC7QyWYQ30
      sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=
      plain:secret
      slow:\(Self.hash.replacing("$05$", with: "$31$"))
      redmi:\(Self.hash)
      nothing
      :\(Self.hash)
       blank:\(Self.hash)
      a,b:\(Self.hash)
      """
    #expect(
      try self.passwords(text) == [
        "users:2:5: the password is not kept by bcrypt (htpasswd -B)",
        "users:3:5: the password is not kept by bcrypt (htpasswd -B)",
        "users:4:7: the password is not kept by bcrypt (htpasswd -B)",
        "users:5:6: bcrypt cost 31 takes seconds a sign-in; at most 14 (htpasswd -B -C 10)",
        "users:6:1: the user is in line 1 already",
        "users:7:1: expected NAME:SECRET, found no colon",
        "users:8:1: expected a name without blanks and / : , of at most 64 characters",
        "users:9:1: expected a name without blanks and / : , of at most 64 characters",
        "users:10:1: expected a name without blanks and / : , of at most 64 characters",
      ]
    )
    #expect(
      try self.passwords("# nobody\n") == [
        "users:1:1: names no user, so that nobody could use the proxy"
      ]
    )
    #expect(try self.passwords("\u{1}\n\u{2}").count == 2)
  }

  @Test("A token is its owner's as Bearer, as password and as user name, in plain or by its digest")
  func token() throws {
    let other = "another-token-of-a-tablet"
    let digest = ASCII.hex(Digest.sha256.hash(Bytes(other)))
    let path = try self.write("redmi:\(Self.token)\npad:sha256:\(digest)\npad:\(Self.token)2\n")
    let users = try ProxyUsers(reading: .tokens(path: path))
    #expect(users.count == 2)
    #expect(users.user(of: .bearer(Bytes(Self.token))) == "redmi")
    #expect(users.user(of: .bearer(Bytes(Self.token + "2"))) == "pad")
    #expect(users.user(of: .basic(user: "anyone", password: Bytes(Self.token))) == "redmi")
    #expect(users.user(of: .basic(user: Bytes(Self.token), password: "")) == "redmi")
    #expect(users.user(of: .bearer(Bytes(other))) == "pad")
    #expect(users.user(of: .bearer(Bytes(digest))) == nil)
    #expect(users.user(of: .basic(user: "redmi", password: "redmi")) == nil)
    #expect(users.user(of: .bearer("")) == nil)
  }

  @Test("A token that is short, doubled or cannot travel is told with its place, never quoted")
  func tokenProblems() throws {
    let text = """
      redmi:\(Self.token)
      short:0123456789abcde
      blank:0123456789 abcdef
      hex:sha256:0123
      twice:\(Self.token)
      """
    #expect(
      try self.tokens(text) == [
        "users:2:7: a token has 16 to 512 characters: openssl rand -hex 16",
        "users:3:17: a token has only letters, digits and - . _ ~ + / = (RFC 6750 §2.1)",
        "users:4:12: expected the 64 hexadecimal digits of a token's SHA-256",
        "users:5:7: the token is in line 1 already",
      ]
    )
  }

  @Test("A file that is missing, too large, or of tokens and open to others is refused by name")
  func files() throws {
    #expect(throws: UserFileFailure.self) {
      try ProxyUsers(reading: .passwords(path: self.folder.path + "/none"))
    }
    let path = try self.write("redmi:\(Self.token)\n", mode: 0o640)
    do throws(UserFileFailure) {
      _ = try ProxyUsers(reading: .tokens(path: path))
      Issue.record("a token that others can read was taken")
    } catch {
      #expect(error.description.contains("lets others read the proxy tokens"))
      #expect(error.description.contains("chmod 600 \(path)"))
    }
    let large = try self.write(String(repeating: "#\n", count: 600_000))
    #expect(throws: UserFileFailure.self) { try ProxyUsers(reading: .passwords(path: large)) }
  }

  @Test("A user that there is not takes the time of one that there is")
  func timing() throws {
    let hash = Self.hash.replacing("$05$", with: "$08$")
    let users = try ProxyUsers(reading: .passwords(path: try self.write("redmi:\(hash)\n")))
    func fastest(_ user: Bytes) -> Duration {
      (0..<3).map { _ in
        ContinuousClock().measure { _ = users.user(of: .basic(user: user, password: "wrong")) }
      }.min() ?? .zero
    }
    // Without the work for nobody it would be some thousand times less.
    #expect(fastest("nobody") * 4 > fastest("redmi"))
  }
}
