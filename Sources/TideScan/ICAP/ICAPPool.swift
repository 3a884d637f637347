import NIOCore
import TideCore
import TideProxy

/// The connections to one ICAP service, and the messages that wait for one; confined to its loop.
///
/// What the service can do is asked first (OPTIONS), and again when that is no longer valid. A connection
/// is used again if the service lets it; one that was closed meanwhile costs its message one more try.
final class ICAPPool {
  /// The most messages that wait; one more fails.
  static let mostWaiting = 256
  /// The most connections, whatever the service would take.
  static let mostConnections = 8

  private enum Knowledge {
    case none
    /// OPTIONS is being asked, on a connection of its own.
    case asking
    case known(ICAPOptions, until: NIODeadline)
  }

  private let settings: ICAPSettings
  private let contentLimit: Int
  private let eventLoop: any EventLoop
  private var knowledge = Knowledge.none
  private var waiting: [ICAPJob] = []
  private var idle: [ICAPConnection] = []
  /// Every connection, those being made too.
  private var open: [ObjectIdentifier: ICAPConnection] = [:]
  private var isStopping = false

  init(_ settings: ICAPSettings, contentLimit: Int, on eventLoop: any EventLoop) {
    self.settings = settings
    self.contentLimit = contentLimit
    self.eventLoop = eventLoop
  }

  /// Takes a message in; `answer` may be called before it returns.
  func scan(
    _ request: ScanRequest,
    _ answer: @escaping (Result<ScanAnswer, FlowFailure>) -> Void
  ) {
    let job = ICAPJob(request, answer)
    guard !self.isStopping else {
      job.finish(.failure(ScanFailure(.stopping, "the proxy is stopping")))
      return
    }
    guard self.waiting.count < Self.mostWaiting else {
      job.finish(.failure(ScanFailure(.overLimit, "\(Self.mostWaiting) messages wait already")))
      return
    }
    let bound = NIOLoopBound((self, job), eventLoop: self.eventLoop)
    let wait = TimeAmount.nanoseconds(Int64(clamping: self.settings.timeout))
    job.timer = self.eventLoop.scheduleTask(in: wait) {
      let (pool, job) = bound.value
      pool.expired(job)
    }
    self.waiting.append(job)
    self.serve()
  }

  private func expired(_ job: ICAPJob) {
    self.waiting.removeAll { $0 === job }
    job.finish(.failure(ScanFailure(.timeout, "no answer in time")))
    // What it would still say is of no use, and what comes after it neither.
    job.connection?.close()
    self.serve()
  }

  // MARK: Serving

  /// Asks about those who wait, as far as there are connections.
  func serve() {
    guard !self.waiting.isEmpty, !self.isStopping else { return }
    switch self.knowledge {
    case .asking: return
    case .known(let options, let until) where until > .now():
      while let job = self.waiting.first {
        if options.transfer(of: job.request.url) == .ignore {
          self.waiting.removeFirst()
          job.finish(.success(ScanAnswer()))
          continue
        }
        guard let connection = self.freeConnection(options) else { return }
        self.waiting.removeFirst()
        self.begin(job, on: connection, options)
      }
    case .none, .known:
      self.knowledge = .asking
      let connection = self.idle.popLast() ?? self.newConnection()
      self.ask(connection)
    }
  }

  private func freeConnection(_ options: ICAPOptions) -> ICAPConnection? {
    if let connection = self.idle.popLast() { return connection }
    let most = min(options.maxConnections ?? Self.mostConnections, Self.mostConnections)
    return self.open.count < most ? self.newConnection() : nil
  }

  private func newConnection() -> ICAPConnection {
    let connection = ICAPConnection(pool: self, on: self.eventLoop)
    self.open[ObjectIdentifier(connection)] = connection
    connection.connect(to: self.settings)
    return connection
  }

  private func ask(_ connection: ICAPConnection) {
    connection.begin(ICAPExchange(optionsOf: self.settings)) { result in
      let isStale = connection.isStale
      switch result {
      case .success(let response):
        do throws(ScanFailure) {
          self.learn(try ICAPOptions(response, for: self.settings.method))
        } catch {
          self.cannotServe(error)
        }
      case .failure where isStale:
        self.knowledge = .none
        self.serve()
      case .failure(let failure): self.cannotServe(failure)
      }
    }
  }

  private func learn(_ options: ICAPOptions) {
    let seconds = Int64(clamping: min(options.lifetime, 86_400))
    self.knowledge = .known(options, until: .now() + .seconds(seconds))
    self.serve()
  }

  /// The service does not say what it can do: nobody can be served now.
  private func cannotServe(_ failure: ScanFailure) {
    self.knowledge = .none
    let jobs = self.waiting
    self.waiting = []
    for job in jobs { job.finish(.failure(failure)) }
  }

  private func begin(_ job: ICAPJob, on connection: ICAPConnection, _ options: ICAPOptions) {
    job.connection = connection
    let exchange = ICAPExchange(
      job.request,
      to: self.settings,
      options,
      contentLimit: self.contentLimit
    )
    connection.begin(exchange) { result in
      job.connection = nil
      switch result {
      case .success(let response):
        self.noteTag(response.fields.first("istag"), options)
        do throws(ScanFailure) {
          job.finish(.success(try ICAPVerdict.of(response, to: job.request)))
        } catch {
          job.finish(.failure(error))
        }
      case .failure where connection.isStale && !job.isRetried && !job.isOver:
        job.isRetried = true
        self.waiting.insert(job, at: 0)
        self.serve()
      case .failure(let failure): job.finish(.failure(failure))
      }
    }
  }

  /// Another tag says that the service has other rules, and perhaps other options (RFC 3507 §4.7).
  private func noteTag(_ tag: Bytes?, _ options: ICAPOptions) {
    guard let tag, tag != options.tag, case .known = self.knowledge else { return }
    var changed = options
    changed.tag = tag
    self.knowledge = .known(changed, until: .now())
  }

  // MARK: What connections report

  /// A connection can be used again.
  func isFree(_ connection: ICAPConnection) {
    guard !self.isStopping else {
      connection.close()
      return
    }
    self.idle.append(connection)
  }

  /// A connection is gone.
  func isGone(_ connection: ICAPConnection) {
    self.open[ObjectIdentifier(connection)] = nil
    self.idle.removeAll { $0 === connection }
    self.serve()
  }

  /// Answers all who wait and closes all connections.
  func stop() {
    self.isStopping = true
    let failure = ScanFailure(.stopping, "the proxy is stopping")
    let jobs = self.waiting
    self.waiting = []
    for job in jobs { job.finish(.failure(failure)) }
    for connection in Array(self.open.values) { connection.close(failure) }
  }
}

/// One message on its way through the pool; confined to its loop.
final class ICAPJob {
  let request: ScanRequest
  /// When its time is over.
  var timer: Scheduled<Void>?
  /// Whether it was tried already, on a connection that turned out to be gone.
  var isRetried = false
  /// Where it is being asked.
  var connection: ICAPConnection?
  private var answer: ((Result<ScanAnswer, FlowFailure>) -> Void)?

  init(_ request: ScanRequest, _ answer: @escaping (Result<ScanAnswer, FlowFailure>) -> Void) {
    self.request = request
    self.answer = answer
  }

  /// Whether it was answered.
  var isOver: Bool { self.answer == nil }

  /// Answers; all but the first time is nothing.
  func finish(_ result: Result<ScanAnswer, ScanFailure>) {
    self.timer?.cancel()
    guard let answer = self.answer else { return }
    self.answer = nil
    answer(result.mapError(\.flowFailure))
  }
}
