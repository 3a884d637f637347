public import TideCore

/// How a connection begins, a device's or the proxy's own, and how the proxy's own differs.
///
/// What the proxy fetches for itself takes a device's way: looked up once, judged as the device's for whose sake it is, dialled
/// pinned, recorded. It is asked for no credentials, never reaches the proxy's own pages, and only asks
/// for `http` URLs, so that nothing it fetches makes it fetch more.
extension ConnectionMachine {
  /// The device that the proxy's own requests are recorded as.
  public static let ownDevice = "tidewaiter"

  /// Begins with a connection that was accepted and admitted; `port` is the client's, if it is known.
  public convenience init(
    client: IPAddress,
    port: UInt16? = nil,
    context: LoopContext,
    at now: Moment
  ) {
    self.init(
      client: client,
      port: port,
      device: context.device(at: client),
      context: context,
      at: now
    )
  }

  /// Begins a connection for one request of the proxy's own, made for the sake of `device`.
  ///
  /// Rules judge it as that device's: what it may not reach is not reached for it either. Its downstream
  /// leg is no socket: the request is received on it whole, followed by its end.
  public convenience init(ownIn context: LoopContext, onBehalf device: String, at now: Moment) {
    self.init(
      client: .v4(0x7F00_0001),
      device: Self.ownDevice,
      onBehalf: device,
      context: context,
      at: now
    )
  }

  /// Whether the requests are the proxy's own and not a device's.
  var isOwn: Bool { self.onBehalf != nil }

  /// The device by which rules judge.
  var judgedDevice: String { self.onBehalf ?? self.device }

  /// Why the connection ended or is about to: nil as long as all went by its own protocol.
  ///
  /// Where it is not nil, what was sent downstream is our own page or part of an answer.
  public var failure: FlowFailure? { self.drainingFailure }
}
