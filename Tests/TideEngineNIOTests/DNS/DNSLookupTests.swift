import Testing
import TideCore

@testable import TideEngineNIO

@Suite struct DNSLookupTests {
  private let name = Hostname("www.vendor.example")

  private func lookup() throws -> DNSLookup { DNSLookup(try #require(self.name)) }

  private func message(
    to question: DNSLookup.Question,
    code: UInt16 = 0,
    _ answers: [[UInt8]] = [],
    authorities: [[UInt8]] = []
  ) throws -> DNSMessage {
    var builder = DNSBuilder(to: question, code: code)
    builder.answers = answers
    builder.authorities = authorities
    return try DNSMessage(builder.bytes)
  }

  private func question(_ name: String, _ type: DNSType) throws -> DNSLookup.Question {
    DNSLookup.Question(name: DNSName(try #require(Hostname(name))), type: type)
  }

  @Test(
    "Both families are asked, and all their addresses, aliases and the least TTL are the answer"
  )
  func both() throws {
    var lookup = try self.lookup()
    let questions = lookup.questions
    #expect(questions.map(\.type) == [.a, .aaaa])
    let a = try self.message(
      to: questions[0],
      [
        DNSBuilder.address("edge.cdn.example", "192.0.2.7", ttl: 60),
        DNSBuilder.alias("WWW.vendor.example", "Edge.CDN.example", ttl: 20),
        DNSBuilder.address("edge.cdn.example", "203.0.113.9"),
        DNSBuilder.address("other.example", "198.51.100.1"),
      ]
    )
    #expect(lookup.take(a, for: questions[0]) == nil)
    #expect(lookup.outcome(from: "test") == nil, "the other family is still open")
    let aaaa = try self.message(
      to: questions[1],
      [
        DNSBuilder.alias("www.vendor.example", "six.cdn.example"),
        DNSBuilder.address("six.cdn.example", "2001:db8::1"),
      ]
    )
    #expect(lookup.take(aaaa, for: questions[1]) == nil)
    let outcome = try #require(lookup.outcome(from: "192.0.2.53:53"))
    let resolution = try outcome.result.get()
    #expect(resolution.addresses.map(\.description) == ["192.0.2.7", "203.0.113.9", "2001:db8::1"])
    #expect(resolution.aliases.map(\.text) == ["edge.cdn.example", "six.cdn.example"])
    #expect(resolution.ttl == 20 && outcome.ttl == 20)
    #expect(resolution.source == "192.0.2.53:53")
  }

  @Test("An alias without an address is asked for anew, eight times in a row at most")
  func chain() throws {
    var lookup = try self.lookup()
    var question = try self.question("www.vendor.example", .a)
    for step in 0..<DNSLookup.mostAliases {
      let owner = try #require(question.name.host).text
      let message = try self.message(to: question, [DNSBuilder.alias(owner, "c\(step).example")])
      let next = lookup.take(message, for: question)
      question = try #require(next)
      #expect(question == (try self.question("c\(step).example", .a)))
    }
    let owner = try #require(question.name.host).text
    let ninth = try self.message(to: question, [DNSBuilder.alias(owner, "c9.example")])
    #expect(lookup.take(ninth, for: question) == nil)
    let other = try self.question("www.vendor.example", .aaaa)
    #expect(lookup.take(try self.message(to: other), for: other) == nil)
    let failure = #expect(throws: FlowFailure.self) {
      try lookup.outcome(from: "test")?.result.get()
    }
    #expect(failure?.code == .resolverFailed)
  }

  @Test("Aliases that lead in a circle end the look-up")
  func circle() throws {
    var lookup = try self.lookup()
    let question = try self.question("www.vendor.example", .a)
    let message = try self.message(
      to: question,
      [
        DNSBuilder.alias("www.vendor.example", "b.example"),
        DNSBuilder.alias("b.example", "www.vendor.example"),
      ]
    )
    #expect(lookup.take(message, for: question) == nil)
    let other = try self.question("www.vendor.example", .aaaa)
    _ = lookup.take(try self.message(to: other), for: other)
    #expect(throws: FlowFailure.self) { try lookup.outcome(from: "test")?.result.get() }
  }

  @Test(
    "A name that is not there, or has no address, says so for the lesser of the zone's times",
    arguments: [UInt16(3), 0]
  )
  func negative(code: UInt16) throws {
    var lookup = try self.lookup()
    for question in lookup.questions {
      let message = try self.message(
        to: question,
        code: code,
        [DNSBuilder.alias("www.vendor.example", "gone.example")],
        authorities: [DNSBuilder.zone(ttl: 40, minimum: 30)]
      )
      #expect(lookup.take(message, for: question) == nil)
    }
    let outcome = try #require(lookup.outcome(from: "test"))
    let failure = #expect(throws: FlowFailure.self) { try outcome.result.get() }
    #expect(failure?.code == .nameNotFound)
    #expect(failure?.detail.contains("NXDOMAIN") == (code == 3))
    #expect(outcome.ttl == 30)
  }

  @Test("One family's addresses do, but are not kept, where the other cannot be asked for")
  func half() throws {
    var lookup = try self.lookup()
    let questions = lookup.questions
    let a = try self.message(
      to: questions[0],
      [DNSBuilder.address("www.vendor.example", "192.0.2.7")]
    )
    #expect(lookup.take(a, for: questions[0]) == nil)
    lookup.fail(
      FlowFailure(.resolverFailed, origin: .upstream, detail: "no answer"),
      for: questions[1]
    )
    let outcome = try #require(lookup.outcome(from: "test"))
    #expect(try outcome.result.get().addresses.count == 1)
    #expect(outcome.ttl == 0)
  }

  @Test("More addresses than can all be judged are a failure, not a selection")
  func tooMany() throws {
    var lookup = try self.lookup()
    let questions = lookup.questions
    let many = (0...Resolution.mostAddresses).map { number in
      DNSBuilder.address("www.vendor.example", "203.0.\(113 + number / 256).\(number % 256)")
    }
    #expect(lookup.take(try self.message(to: questions[0], many), for: questions[0]) == nil)
    #expect(lookup.take(try self.message(to: questions[1]), for: questions[1]) == nil)
    #expect(throws: FlowFailure.self) { try lookup.outcome(from: "test")?.result.get() }
  }
}

@Suite struct DNSCacheTests {
  private func outcome(_ ttl: UInt32) -> DNSLookup.Outcome {
    let address = IPAddress.v4(0xC000_0207)
    return DNSLookup.Outcome(
      result: .success(Resolution(addresses: [address], ttl: ttl, source: "test")),
      ttl: ttl
    )
  }

  private func at(_ seconds: UInt64) -> Instant {
    Instant(nanoseconds: 5_000_000_000 + seconds * 1_000_000_000)
  }

  @Test("An answer holds for its time, an hour at most, and says what is left of it")
  func holds() throws {
    var cache = DNSCache(capacity: 4)
    let name = try #require(Hostname("a.example"))
    cache.keep(self.outcome(86_400), for: name, at: self.at(0))
    let kept = try #require(try cache.answer(for: name, at: self.at(3_599))?.get())
    #expect(kept.isCached && kept.ttl == 1 && kept.source == "test")
    #expect(cache.answer(for: name, at: self.at(3_600)) == nil)
  }

  @Test("An answer with a TTL of 0 is not kept, and takes an older one's place")
  func zero() throws {
    var cache = DNSCache(capacity: 4)
    let name = try #require(Hostname("a.example"))
    cache.keep(self.outcome(60), for: name, at: self.at(0))
    cache.keep(self.outcome(0), for: name, at: self.at(1))
    #expect(cache.answer(for: name, at: self.at(1)) == nil)
  }

  @Test("That there is no such name is kept for a minute at most")
  func negative() throws {
    var cache = DNSCache(capacity: 4)
    let name = try #require(Hostname("a.example"))
    let failure = FlowFailure(.nameNotFound, origin: .upstream, detail: "no such name")
    cache.keep(DNSLookup.Outcome(result: .failure(failure), ttl: 900), for: name, at: self.at(0))
    #expect(cache.answer(for: name, at: self.at(59)) != nil)
    #expect(cache.answer(for: name, at: self.at(60)) == nil)
  }

  @Test("A full cache lets go of what no longer holds, else of the oldest")
  func room() throws {
    var cache = DNSCache(capacity: 2)
    let names = try ["a.example", "b.example", "c.example", "d.example"].map {
      try #require(Hostname($0))
    }
    cache.keep(self.outcome(1_000), for: names[0], at: self.at(0))
    cache.keep(self.outcome(10), for: names[1], at: self.at(0))
    cache.keep(self.outcome(1_000), for: names[2], at: self.at(20))
    #expect(cache.answer(for: names[0], at: self.at(20)) != nil)
    cache.keep(self.outcome(1_000), for: names[3], at: self.at(30))
    #expect(cache.answer(for: names[0], at: self.at(30)) == nil)
    #expect(cache.answer(for: names[2], at: self.at(30)) != nil)
  }
}
