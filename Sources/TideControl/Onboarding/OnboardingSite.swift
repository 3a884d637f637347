public import TideCore

/// The small site on the proxy's own port that takes a device through its set-up (PRODUCT.md section 9).
///
/// A pure function of the request but for the ledger, in which each request leaves what it proves.
public struct OnboardingSite: Sendable {
  /// The name under which the site is reached through the proxy.
  public static let host = "tidewaiter.internal"
  /// The name that the certificate probe asks for over TLS.
  public static let checkHost = "check.tidewaiter.internal"

  /// What was seen of each device; the proxy adds the handshakes that a device breaks off.
  public let ledger: OnboardingLedger

  /// The certificate to install.
  let authority: AuthorityCertificate
  /// The certificate before a rotation, until it ends.
  let previous: AuthorityCertificate?
  /// Where devices reach the proxy, the one to show first.
  let addresses: [IPAddress]
  /// The proxy's port.
  let port: UInt16
  /// What is done with the traffic.
  let mode: Mode
  /// The case that it is recorded in.
  let caseName: String

  /// Joins a site.
  ///
  /// - Parameters:
  ///   - authority: the certificate that devices are to trust.
  ///   - previous: the one before a rotation, until it ends; `/ca.pem` and the profile hold both.
  ///   - addresses: where devices reach the proxy, the one to show first; see `LocalAddresses`.
  ///   - port: the proxy's port.
  ///   - mode: what is done with the traffic.
  ///   - caseName: the case that it is recorded in.
  ///   - ledger: what was seen so far; pass the same one on when the rest changes.
  public init(
    authority: AuthorityCertificate,
    previous: AuthorityCertificate? = nil,
    addresses: [IPAddress],
    port: UInt16,
    mode: Mode,
    caseName: String,
    ledger: OnboardingLedger = OnboardingLedger()
  ) {
    self.authority = authority
    self.previous = previous
    self.addresses = addresses
    self.port = port
    self.mode = mode
    self.caseName = caseName
    self.ledger = ledger
  }

  /// Answers one request, and notes what it proves of the device.
  public func respond(_ request: OnboardingRequest) -> PageResponse {
    let progress: OnboardingProgress =
      switch request.route {
      case .direct: .reached
      case .proxied: .throughProxy
      case .intercepted: .certificateTrusted
      }
    let status = self.ledger.note(progress, of: request.client)
    switch request.method {
    case "GET", "HEAD": return self.content(request, status)
    default:
      return self.message(
        405,
        Phrase("This page can only be read", "這個網頁只能讀取"),
        request,
        extra: [("Allow", "GET, HEAD")]
      )
    }
  }

  /// The certificates to install, the one in use first.
  private var authorities: [AuthorityCertificate] {
    [self.authority] + (self.previous.map { [$0] } ?? [])
  }

  private func content(
    _ request: OnboardingRequest,
    _ status: OnboardingStatus
  ) -> PageResponse {
    switch request.path {
    case "/": return OnboardingPage(self, request, status).response()
    case "/ok":
      return PageResponse(
        status: 204,
        type: nil,
        body: Bytes(),
        extra: [("Access-Control-Allow-Origin", "*")]
      )
    case "/status.json": return self.statusFile(request, status)
    case "/proxy.pac":
      return PageResponse(
        status: 200,
        type: "application/x-ns-proxy-autoconfig",
        body: self.autoconfiguration(for: request)
      )
    case "/ca.crt":
      return self.file("application/x-x509-ca-cert", "tidewaiter.crt", self.authority.der)
    case "/ca.pem":
      return self.file(
        "application/x-pem-file",
        "tidewaiter.pem",
        Bytes(self.authorities.flatMap { $0.pem.array })
      )
    case "/tidewaiter.mobileconfig":
      return self.file(
        "application/x-apple-aspen-config",
        "tidewaiter.mobileconfig",
        AuthorityCertificate.mobileProfile(of: self.authorities)
      )
    default:
      return self.message(404, Phrase("There is no such page here", "這裡沒有這個網頁"), request)
    }
  }

  /// Where this device is to send its traffic.
  ///
  /// An address that it reached us by is one that works for it, also behind a port mapping that we know
  /// nothing of. A name is not taken over: whoever made it could point it elsewhere later.
  func proxy(for request: OnboardingRequest) -> Authority {
    if let reached = Authority(request.host, defaultPort: self.port), case .address = reached.host {
      return reached
    }
    let host = self.addresses.first.map(Host.address) ?? .address(.v4(0x7F00_0001))
    return Authority(host: host, port: self.port)
  }

  /// Sends everything through the proxy, our own names included.
  ///
  /// There is no `DIRECT` to fall back on: while the proxy is down the device has no network, rather
  /// than traffic that nobody sees.
  private func autoconfiguration(for request: OnboardingRequest) -> Bytes {
    Bytes(
      """
      function FindProxyForURL(url, host) {
        return "PROXY \(self.proxy(for: request))";
      }

      """
    )
  }

  private func file(_ type: String, _ name: String, _ body: Bytes) -> PageResponse {
    PageResponse(
      status: 200,
      type: type,
      body: body,
      extra: [("Content-Disposition", "attachment; filename=\"\(name)\"")]
    )
  }

  private func statusFile(
    _ request: OnboardingRequest,
    _ status: OnboardingStatus
  ) -> PageResponse {
    // Nothing here needs escaping: an address, Booleans and a number.
    let json =
      "{\"client\":\"\(request.client.unmapped)\",\"reached\":true,"
      + "\"through_proxy\":\(status.progress >= .throughProxy),"
      + "\"certificate_trusted\":\(status.progress >= .certificateTrusted),"
      + "\"certificate_rejected\":\(status.rejections)}\n"
    return PageResponse(status: 200, type: "application/json", body: Bytes(json))
  }

  private func message(
    _ status: Int,
    _ title: Phrase,
    _ request: OnboardingRequest,
    extra: [(String, String)] = []
  ) -> PageResponse {
    let language = PageLanguage(query: request.query, acceptLanguage: request.acceptLanguage)
    let back = Phrase("Set this device up", "設定這部裝置")
    return PageTemplate(language: language, title: title[language]).response(
      status: status,
      main:
        "<h1>\(title[language])</h1>\n<p><a class=\"again\" href=\"/\">\(back[language])</a></p>",
      extra: extra
    )
  }
}
