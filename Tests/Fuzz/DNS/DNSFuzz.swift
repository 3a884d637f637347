import Support
import TideCore

@testable import TideDNS

/// Feeds a name server's messages to the stub resolver's codec, its lookups and its cache.
///
/// Of the first byte, one bit says whether the rest is one message, read as it is; else it is the answers to
/// the questions of a lookup: each a byte for its length, its header's codes, its counts and its records,
/// behind a header and a question that fit.
@main
enum DNSFuzz {
  static func main() { Fuzzing.run() }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let setup = script.byte()
  guard let host = Hostname(setup & 2 == 0 ? "www.a.example" : "xn--bcher-kva.a.example") else {
    fail("no host name")
  }
  if setup & 1 == 0 {
    read(script.all(), asAnswerTo: host)
  } else {
    lookUp(host, &script)
  }
  return 0
}

/// Reads a message, and holds it against a question.
private func read(_ bytes: Bytes, asAnswerTo host: Hostname) {
  guard let message = message(bytes) else { return }
  var random = Chance(state: UInt64(bytes.count))
  let query = DNSQuery(DNSName(host), .a, using: &random)
  switch query.fit(message) {
  case .answer, .respelled:
    require(message.isResponse && message.id == query.id, "an answer to something else")
  case .foreign: break
  }
}

/// Reads a message; nil if it is none.
///
/// What was read lies within it.
private func message(_ bytes: Bytes) -> DNSMessage? {
  let message: DNSMessage
  do throws(DNSFailure) {
    message = try DNSMessage(bytes)
  } catch {
    require(!error.detail.isEmpty, "refused without a reason")
    return nil
  }
  let records = message.answers + message.authorities
  require(records.count <= DNSMessage.mostRecords, "\(records.count) records")
  // A record is a name, a type, a class, a time and a length at least (RFC 1035 §3.2.1).
  let least = 12 + records.count * 11
  require(least <= bytes.count, "\(records.count) records in \(bytes.count) bytes")
  require(!message.isTruncated || records.isEmpty, "records of a message that is cut")
  for record in records {
    check(record.owner)
    require(record.ttl >> 31 == 0, "a time to live of \(record.ttl)")
    switch record.content {
    case .alias(let name): check(name)
    case .zone(let ttl): require(ttl >> 31 == 0, "a negative time to live of \(ttl)")
    case .address, .other: break
    }
  }
  return message
}

private func check(_ name: DNSName) {
  require(name.wire.count <= DNSName.longest, "a name of \(name.wire.count) bytes")
  require(name.wire.last == 0, "a name without an end")
  if let host = name.host {
    require(DNSName(host) == name, "\(host.text) is another name")
  }
}

/// Answers the questions of a lookup until it has its outcome.
private func lookUp(_ host: Hostname, _ script: inout Script) {
  var lookup = DNSLookup(host)
  var open = lookup.questions
  var random = Chance(state: 1)
  var asked = 0
  var offered = Set<IPAddress>()
  while let question = open.popLast() {
    asked += 1
    require(asked <= 2 * (DNSLookup.mostAliases + 1), "\(asked) questions")
    let query = DNSQuery(question.name, question.type, using: &random)
    let bytes = answer(to: query, script.bytes(Int(script.byte())))
    guard let message = message(bytes), query.fit(message) == .answer else {
      lookup.fail(
        FlowFailure(.resolverFailed, origin: .upstream, detail: "no answer"),
        for: question
      )
      continue
    }
    for record in message.answers {
      if case .address(let address) = record.content { offered.insert(address) }
    }
    if let next = lookup.take(message, for: question) {
      require(next.type == question.type, "a question of another family")
      require(lookup.outcome(from: "server") == nil, "an outcome before its answer")
      open.append(next)
    }
  }
  guard let outcome = lookup.outcome(from: "server") else {
    fail("no outcome after \(asked) questions")
  }
  if case .success(let resolution) = outcome.result {
    require(!resolution.addresses.isEmpty, "a success without addresses")
    require(resolution.addresses.count <= Resolution.mostAddresses, "too many addresses")
    require(offered.isSuperset(of: resolution.addresses), "an address that nobody gave")
    require(resolution.aliases.count <= 2 * DNSLookup.mostAliases, "too many aliases")
  }
  checkKeeping(outcome, host)
}

/// What the cache gives is what was put in, for no longer than it holds.
private func checkKeeping(_ outcome: DNSLookup.Outcome, _ host: Hostname) {
  var cache = DNSCache(capacity: 1)
  let now = Instant(nanoseconds: 1)
  cache.keep(outcome, for: host, at: now)
  let kept = cache.answer(for: host, at: now)
  require((kept != nil) == (outcome.ttl > 0), "kept for \(outcome.ttl) s")
  let later = Instant(nanoseconds: 2 + UInt64(DNSCache.longest) * 1_000_000_000)
  require(cache.answer(for: host, at: later) == nil, "kept for more than an hour")
  guard case .success(let resolution) = kept, let ttl = resolution.ttl else { return }
  require(ttl <= DNSCache.longest && ttl <= outcome.ttl, "kept for \(ttl) s of \(outcome.ttl)")
}

/// A response with the query's id and question, then `rest`: flags, response code, counts and records.
private func answer(to query: DNSQuery, _ rest: Bytes) -> Bytes {
  var script = Script(rest)
  var bytes = query.message(isExtended: false)
  bytes[2] = 0x80 | script.byte() & 0x02
  bytes[3] = script.byte()
  for place in [7, 9, 11] { bytes[place] = script.byte() }
  return Bytes(bytes + script.all().array)
}

/// Numbers that are the same for the same input.
private struct Chance: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return self.state ^ self.state >> 29
  }
}
