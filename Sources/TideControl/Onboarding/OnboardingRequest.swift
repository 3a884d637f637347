public import TideCore

/// A request for one of our own pages, as the proxy read it.
public struct OnboardingRequest: Sendable {
  /// The method, as sent.
  public let method: String
  /// The request target before `?`.
  public let path: String
  /// The request target after `?`, without it; empty if there is none.
  public let query: String
  /// The host asked for, with its port where that is known.
  public let host: String
  /// `Accept-Language`; empty if absent.
  public let acceptLanguage: String
  /// `User-Agent`; empty if absent.
  public let userAgent: String
  /// The device.
  public let client: IPAddress
  /// How the request came to us, which is what the checklist is about.
  public let route: Route

  /// How a request came, from the least that it proves to the most.
  public enum Route: Sendable {
    /// Straight to the proxy's port as to a web server: the device reaches us.
    case direct
    /// As a proxy request in plain text: the device uses the proxy.
    case proxied
    /// Inside TLS that we terminated: the device uses the proxy and trusts our certificate.
    case intercepted
  }

  /// Joins a request.
  public init(
    method: String,
    path: String,
    query: String = "",
    host: String,
    acceptLanguage: String = "",
    userAgent: String = "",
    client: IPAddress,
    route: Route
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.host = host
    self.acceptLanguage = acceptLanguage
    self.userAgent = userAgent
    self.client = client
    self.route = route
  }
}
