import TideCore
import TideCrypto

/// Reads the lines `NAME:SECRET` of a file of proxy users; what is wrong is gathered with its place.
struct UserFileReader {
  /// A user and what comes after the colon.
  struct Line {
    let number: Int
    let name: String
    /// Where the secret begins, counted from 1.
    let column: Int
    let secret: Bytes
  }

  /// The most bytes of a file.
  static let limit = 1 << 20
  /// The most characters of a name, as of a device's.
  private static let nameLimit = 64
  /// As `ConnectionMachine.ownDevice`: a user's name becomes a device's.
  private static let ownName = "tidewaiter"
  private static let shortestToken = 16
  private static let longestToken = 512
  /// The most problems that are told: a file that is something else altogether would fill the screen.
  private static let mostProblems = 20

  private let path: String
  private var problems: [UserFileFailure.Problem] = []

  private init(path: String) { self.path = path }

  // MARK: Documents

  /// The users of a file that `htpasswd -B` wrote.
  static func passwords(
    _ text: Bytes,
    path: String
  ) throws(UserFileFailure) -> [(name: String, hash: PasswordHash)] {
    var reader = UserFileReader(path: path)
    var users: [(name: String, hash: PasswordHash)] = []
    var lines: [String: Int] = [:]
    for line in reader.lines(of: text) {
      if let first = lines.updateValue(line.number, forKey: line.name) {
        reader.report("the user is in line \(first) already", line.number, 1)
        continue
      }
      do throws(PasswordHash.Refusal) {
        users.append((line.name, try PasswordHash(line.secret)))
      } catch {
        switch error {
        case .notBcrypt:
          reader.report(
            "the password is not kept by bcrypt (htpasswd -B)",
            line.number,
            line.column
          )
        case .tooCostly(let cost):
          reader.report(
            "bcrypt cost \(cost) takes seconds a sign-in; at most \(PasswordHash.highestCost) "
              + "(htpasswd -B -C 10)",
            line.number,
            line.column
          )
        }
      }
    }
    try reader.finish(isEmpty: users.isEmpty)
    return users
  }

  /// The users of a file of tokens, each with the SHA-256 of its own.
  ///
  /// A user may have several tokens, so that one can be replaced while the other is still in use.
  static func tokens(
    _ text: Bytes,
    path: String
  ) throws(UserFileFailure) -> [(name: String, digest: [UInt8])] {
    var reader = UserFileReader(path: path)
    var users: [(name: String, digest: [UInt8])] = []
    var lines: [[UInt8]: Int] = [:]
    for line in reader.lines(of: text) {
      guard let digest = reader.digest(of: line) else { continue }
      if let first = lines.updateValue(line.number, forKey: digest) {
        reader.report("the token is in line \(first) already", line.number, line.column)
        continue
      }
      users.append((line.name, digest))
    }
    try reader.finish(isEmpty: users.isEmpty)
    return users
  }

  // MARK: Lines

  private mutating func lines(of text: Bytes) -> [Line] {
    var lines: [Line] = []
    for (index, raw) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      var end = raw.endIndex
      while end > raw.startIndex, [0x20, 0x09, 0x0D].contains(raw[end - 1]) { end -= 1 }
      let content = text.slice(raw.startIndex..<end)
      guard let first = content.first, first != 0x23 else { continue }
      if let line = self.line(content, number: index + 1) { lines.append(line) }
    }
    return lines
  }

  private mutating func line(_ content: Bytes, number: Int) -> Line? {
    guard let colon = content.firstIndex(of: 0x3A) else {
      self.report("expected NAME:SECRET, found no colon", number, 1)
      return nil
    }
    guard let name = Self.name(content.slice(0..<colon)) else {
      self.report(
        "expected a name without blanks and / : , of at most \(Self.nameLimit) characters",
        number,
        1
      )
      return nil
    }
    guard name != Self.ownName else {
      self.report("\(name) is what the proxy's own requests are recorded as", number, 1)
      return nil
    }
    return Line(
      number: number,
      name: name,
      column: colon + 2,
      secret: content.dropping(first: colon + 1)
    )
  }

  /// A user's name becomes a device's, so that the same rule holds: it can stand in a filter.
  private static func name(_ bytes: Bytes) -> String? {
    guard let text = String(validating: bytes, as: UTF8.self),
      (1...self.nameLimit).contains(text.count), !text.hasPrefix(".")
    else { return nil }
    let isLegal = text.unicodeScalars.allSatisfy { scalar in
      scalar.value > 0x20 && !scalar.properties.isWhitespace
        && !"/:,\u{7F}".unicodeScalars.contains(scalar)
    }
    return isLegal ? text : nil
  }

  private mutating func digest(of line: Line) -> [UInt8]? {
    let prefix = Bytes("sha256:")
    if line.secret.starts(with: prefix) {
      guard let digest = Hex.decode(line.secret.dropping(first: prefix.count)),
        digest.count == Digest.sha256.byteCount
      else {
        self.report(
          "expected the 64 hexadecimal digits of a token's SHA-256",
          line.number,
          line.column + prefix.count
        )
        return nil
      }
      return digest
    }
    if let wrong = line.secret.firstIndex(where: { !Self.isTokenByte($0) }) {
      self.report(
        "a token has only letters, digits and - . _ ~ + / = (RFC 6750 §2.1)",
        line.number,
        line.column + wrong
      )
      return nil
    }
    guard (Self.shortestToken...Self.longestToken).contains(line.secret.count) else {
      self.report(
        "a token has \(Self.shortestToken) to \(Self.longestToken) characters: openssl rand -hex 16",
        line.number,
        line.column
      )
      return nil
    }
    return Digest.sha256.hash(line.secret)
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || "-._~+/=".utf8.contains(byte)
  }

  // MARK: Problems

  private mutating func report(_ message: String, _ line: Int, _ column: Int) {
    guard self.problems.count < Self.mostProblems else { return }
    self.problems.append(.init(line: line, column: column, message: message))
  }

  private func finish(isEmpty: Bool) throws(UserFileFailure) {
    guard !self.problems.isEmpty || isEmpty else { return }
    let nobody = UserFileFailure.Problem(
      line: 1,
      column: 1,
      message: "names no user, so that nobody could use the proxy"
    )
    throw UserFileFailure(
      path: self.path,
      problems: self.problems.isEmpty
        ? [nobody] : self.problems.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
    )
  }
}
