import NIOCore
import TideCore
import TideProxy

/// Our own stub resolver: asks the operator's servers, remembers what still holds (RFC 1035 §5.3.1).
///
/// Confined to its event loop. A name is asked for once however many wait for it.
final class StubResolver {
  typealias Answer = @Sendable (Result<Resolution, FlowFailure>) -> Void

  /// The most names that are being looked up; beyond it a look-up fails.
  private static let mostPending = 512
  /// The most answers that are remembered.
  private static let mostKept = 4_096
  /// How often a question is asked at least before it is given up.
  private static let leastAttempts = 3

  /// One name's look-up and who waits for it.
  private final class Pending {
    var lookup: DNSLookup
    var answers: [Answer]
    var source: String
    let deadline: NIODeadline

    init(_ name: Hostname, _ answer: @escaping Answer, source: String, until deadline: NIODeadline)
    {
      self.lookup = DNSLookup(name)
      self.answers = [answer]
      self.source = source
      self.deadline = deadline
    }
  }

  private let servers: [NameServer]
  private let patience: TimeAmount
  private let eventLoop: any EventLoop
  private var pending: [Hostname: Pending] = [:]
  private var exchanges: [ObjectIdentifier: DNSExchange] = [:]
  private var isStopping = false
  private var cache = DNSCache(capacity: StubResolver.mostKept)
  private var random = SystemRandomNumberGenerator()
  /// The server that answered last is asked first.
  private var preferred = 0

  /// Prepares to ask servers, of which there is at least one.
  ///
  /// - Parameters:
  ///   - servers: who is asked, in this order.
  ///   - patience: how long a look-up may take, in nanoseconds.
  ///   - eventLoop: where all of it happens.
  init(_ servers: [NameServer], patience: UInt64, on eventLoop: any EventLoop) {
    self.servers = servers
    // A little less than whoever waits has, so that the cause is told and not only that it took too long.
    self.patience = .nanoseconds(Int64(clamping: patience - patience / 10))
    self.eventLoop = eventLoop
  }

  /// Looks a name up; `answer` is called on the loop, perhaps before this returns.
  func resolve(_ name: Hostname, _ answer: @escaping Answer) {
    if let kept = self.cache.answer(for: name, at: Clock.now().instant) { return answer(kept) }
    if let pending = self.pending[name] {
      pending.answers.append(answer)
      return
    }
    guard self.pending.count < Self.mostPending, !self.isStopping, let first = self.servers.first
    else {
      let detail = "\(name): \(Self.mostPending) names are being looked up already"
      return answer(.failure(FlowFailure(.overLimit, origin: .internal, detail: detail)))
    }
    let pending = Pending(
      name,
      answer,
      source: first.description,
      until: .now() + self.patience
    )
    self.pending[name] = pending
    for question in pending.lookup.questions { self.ask(question, pending) }
  }

  /// Answers everyone who waits: there will be no more time.
  func stop() {
    let failure = FlowFailure(.shutdown, origin: .internal, detail: "the proxy is stopping")
    self.isStopping = true
    let waiting = self.pending.values
    self.pending = [:]
    for exchange in self.exchanges.values { exchange.cancel() }
    for answer in waiting.flatMap(\.answers) { answer(.failure(failure)) }
  }

  // MARK: Asking

  private var attempts: Int { max(Self.leastAttempts, self.servers.count * 2) }

  private func ask(
    _ question: DNSLookup.Question,
    _ pending: Pending,
    attempt: Int = 0,
    isExtended: Bool = true,
    complaints: [String] = []
  ) {
    let now = NIODeadline.now()
    guard attempt < self.attempts, now < pending.deadline, !self.isStopping else {
      let detail = complaints.isEmpty ? "no answer in time" : complaints.joined(separator: "; ")
      pending.lookup.fail(
        FlowFailure(
          .resolverFailed,
          origin: .upstream,
          detail: "\(pending.lookup.name): \(detail)"
        ),
        for: question
      )
      self.settle(pending)
      return
    }
    let server = self.servers[(self.preferred + attempt) % self.servers.count]
    let share = TimeAmount.nanoseconds(self.patience.nanoseconds / Int64(self.attempts))
    let exchange = DNSExchange(
      DNSQuery(question.name, question.type, using: &self.random),
      to: server,
      isExtended: isExtended,
      until: min(now + share, pending.deadline),
      on: self.eventLoop
    )
    self.exchanges[ObjectIdentifier(exchange)] = exchange
    let bound = NIOLoopBound((self, pending, exchange), eventLoop: self.eventLoop)
    exchange.run().whenComplete { result in
      let (resolver, pending, exchange) = bound.value
      resolver.exchanges[ObjectIdentifier(exchange)] = nil
      switch result {
      case .success(let message): resolver.take(message, for: question, pending, from: server)
      case .failure(let error):
        var complaints = complaints
        var isExtended = true
        switch error as? DNSExchange.Failure {
        case .silent(let detail)?: Self.add("\(server): \(detail)", to: &complaints)
        case .refused(let code)?: Self.add("\(server): \(code)", to: &complaints)
        case .isNotExtended?: isExtended = false
        case nil: Self.add("\(server): \(error)", to: &complaints)
        }
        resolver.ask(
          question,
          pending,
          // The same server again, without what it does not know.
          attempt: isExtended ? attempt + 1 : attempt,
          isExtended: isExtended,
          complaints: complaints
        )
      }
    }
  }

  private static func add(_ complaint: String, to complaints: inout [String]) {
    if !complaints.contains(complaint) { complaints.append(complaint) }
  }

  private func take(
    _ message: DNSMessage,
    for question: DNSLookup.Question,
    _ pending: Pending,
    from server: NameServer
  ) {
    self.preferred = self.servers.firstIndex(of: server) ?? 0
    pending.source = server.description
    if let next = pending.lookup.take(message, for: question) {
      self.ask(next, pending)
    } else {
      self.settle(pending)
    }
  }

  /// Answers those who wait once every question of theirs is settled.
  private func settle(_ pending: Pending) {
    let name = pending.lookup.name
    guard let outcome = pending.lookup.outcome(from: pending.source),
      self.pending[name] === pending
    else { return }
    self.pending[name] = nil
    self.cache.keep(outcome, for: name, at: Clock.now().instant)
    for answer in pending.answers { answer(outcome.result) }
  }
}
