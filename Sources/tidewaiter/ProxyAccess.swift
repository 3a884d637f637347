import TideConfig
import TideControl
import TideCore
import TideEngineNIO
import TideProxy

/// Who is served, by `listen.auth`: read at start and at each reload.
struct ProxyAccess {
  private let source: ProxyUsers.Source?

  init(_ configuration: Configuration) {
    self.source =
      switch configuration.listen.auth {
      case .off: nil
      case .basic(let path): .passwords(path: path)
      case .tokens(let path): .tokens(path: path)
      }
  }

  /// What devices are asked for; nil if they are asked nothing.
  var authentication: ProxyAuthentication? {
    switch self.source {
    case nil: nil
    case .passwords: ProxyAuthentication(scheme: .basic)
    case .tokens: ProxyAuthentication(scheme: .tokens)
    }
  }

  /// The users; nil if devices are asked nothing.
  func load() throws(CommandFailure) -> KnownUsers? {
    guard let source = self.source else { return nil }
    do throws(UserFileFailure) {
      return KnownUsers(users: try ProxyUsers(reading: source))
    } catch {
      throw CommandFailure(.usage, "listen.auth: \(error)")
    }
  }

  /// What is asked for and how many users there are, in one line.
  func summary(_ users: KnownUsers?) -> String {
    let count = users?.users.count ?? 0
    let noun = count == 1 ? "user" : "users"
    return switch self.source {
    case nil: "none: whoever listen.allow lets in is served"
    case .passwords(let path): "by user and password, \(count) \(noun) in \(path)"
    case .tokens(let path): "by token, \(count) \(noun) in \(path)"
    }
  }
}

/// The users of a file, for the engine.
struct KnownUsers: Authenticator {
  let users: ProxyUsers

  func user(of credentials: ProxyCredentials) -> String? { self.users.user(of: credentials) }
}
