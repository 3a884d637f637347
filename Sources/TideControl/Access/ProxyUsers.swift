public import TideCore
import TideCrypto

/// Whoever may use the proxy, as read from the operator's file; a value, so that a reload replaces it whole.
public struct ProxyUsers: Sendable {
  /// Which file, and what is in it.
  public enum Source: Hashable, Sendable {
    /// Users and passwords as `htpasswd -B` writes them.
    case passwords(path: String)
    /// `NAME:TOKEN` or `NAME:sha256:HEX` a line.
    case tokens(path: String)
  }

  private enum Entries {
    /// By user, with what takes the time of a check for users that there are not.
    case passwords([Bytes: (name: String, hash: PasswordHash)], nobody: PasswordHash)
    case tokens([(name: String, digest: [UInt8])])
  }

  private let entries: Entries

  /// Reads a file of at most 1 MiB.
  ///
  /// Tokens are as good as passwords: their file is refused if others can read it. Hashes are made to be seen.
  ///
  /// - Throws: everything that is wrong with the file.
  public init(reading source: Source) throws(UserFileFailure) {
    switch source {
    case .passwords(let path):
      let text = try Self.text(of: path, holding: "proxy users", othersMayRead: true)
      self.entries = try Self.passwords(text, path: path)
    case .tokens(let path):
      let text = try Self.text(of: path, holding: "proxy tokens", othersMayRead: false)
      self.entries = .tokens(try UserFileReader.tokens(text, path: path))
    }
  }

  /// How many users there are; a user with several tokens counts once.
  public var count: Int {
    switch self.entries {
    case .passwords(let users, _): users.count
    case .tokens(let tokens): Set(tokens.map(\.name)).count
    }
  }

  /// The user that the credentials belong to; nil if they are nobody's.
  ///
  /// A password takes bcrypt's time, whether or not there is such a user: never on an event loop. A token
  /// may also come as the password or the user name of Basic, since that is all a phone's dialog asks for.
  public func user(of credentials: ProxyCredentials) -> String? {
    switch self.entries {
    case .passwords(let users, let nobody):
      guard case .basic(let user, let password) = credentials else { return nil }
      let entry = users[user]
      return (entry?.hash ?? nobody).matches(password) ? entry?.name : nil
    case .tokens(let tokens):
      switch credentials {
      case .bearer(let token): return Self.owner(of: token, among: tokens)
      case .basic(let user, let password):
        let byPassword = Self.owner(of: password, among: tokens)
        let byUser = Self.owner(of: user, among: tokens)
        return byPassword ?? byUser
      }
    }
  }

  private static func passwords(_ text: Bytes, path: String) throws(UserFileFailure) -> Entries {
    let users = try UserFileReader.passwords(text, path: path)
    let highest = users.map(\.hash.cost).max() ?? PasswordHash.highestCost
    return .passwords(
      Dictionary(users.map { (Bytes($0.name), $0) }, uniquingKeysWith: { first, _ in first }),
      nobody: .ofNobody(cost: highest)
    )
  }

  /// Goes through all of them whatever it meets, so that time tells nothing.
  private static func owner(
    of token: Bytes,
    among tokens: [(name: String, digest: [UInt8])]
  ) -> String? {
    let digest = Digest.sha256.hash(token)
    var owner: String?
    for entry in tokens where ConstantTime.equal(entry.digest, digest) { owner = entry.name }
    return owner
  }

  private static func text(
    of path: String,
    holding what: String,
    othersMayRead: Bool
  ) throws(UserFileFailure) -> Bytes {
    do throws(FileFailure) {
      return try SecretFile.read(
        path,
        holding: what,
        limit: UserFileReader.limit,
        othersMayRead: othersMayRead
      )
    } catch {
      throw UserFileFailure(error)
    }
  }
}
