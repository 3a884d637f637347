@testable import TLSSupport
import TideCore
import TideTLS

/// The kinds of handshakes that are played, and how each must end.
enum Scene: String, CaseIterable {
  case newest
  case tls12
  case minted
  case otherGroup
  case asksForCertificate
  case mirrored
  case recorded
  case wrongHost
  case expired
  case unknownAuthority
  case ownAuthority
  case rejectedByDevice
  case noCommonProtocol
  case refused
  case cut
  case flipped
  case noise
  case notTLS
  case resumed
  case identified
  case stapled
  case revokedByStaple
  case revokedByList
  case fetched

  func play(in laboratory: Laboratory, _ dice: inout Dice) throws {
    switch self {
    case .newest:
      try self.succeed(laboratory.line(laboratory.upstream, laboratory.good), &dice)
    case .tls12:
      try self.succeed(
        laboratory.line(laboratory.upstream, laboratory.good, maximumVersion: 0x0303),
        &dice
      )
    case .minted:
      let hosts = (0..<8).map { host("host-\($0).example") } + [host("192.0.2.1")]
      let name = hosts[dice.number(0...8)]
      let leaf = try laboratory.minter.leaf(for: name, at: now)
      try self.succeed(laboratory.line(laboratory.device, leaf, host: name), &dice)
    case .otherGroup:
      let leaf = try laboratory.minter.leaf(for: host(Laboratory.name), at: now)
      try self.succeed(laboratory.line(laboratory.otherGroups, leaf), &dice)
    case .asksForCertificate:
      let line = try laboratory.line(laboratory.upstream, laboratory.good, by: laboratory.asking)
      try self.succeed(line, &dice)
      try require(line.client.wantsClientCertificate, "nobody noticed what the upstream wants")
    case .mirrored:
      let original = dice.number(0...1) == 0 ? laboratory.expired : laboratory.elsewhere
      let leaf = try laboratory.minter.untrustedLeaf(
        for: host(Laboratory.name),
        mirroring: dice.number(0...3) == 0 ? [] : [Bytes(original.certificateDER)],
        at: now
      )
      try self.fail(laboratory.line(laboratory.device, leaf), &dice)
    case .recorded:
      let leaves = [laboratory.expired, laboratory.elsewhere, laboratory.foreign]
      let line = try laboratory.line(laboratory.recording, leaves[dice.number(0...2)])
      try self.succeed(line, &dice)
      try require(line.client.facts.peer?.verification != "ok", "what is wrong is not recorded")
    case .wrongHost:
      try self.fail(laboratory.line(laboratory.upstream, laboratory.elsewhere), &dice)
    case .expired:
      try self.fail(laboratory.line(laboratory.upstream, laboratory.expired), &dice)
    case .unknownAuthority:
      try self.fail(laboratory.line(laboratory.upstream, laboratory.foreign), &dice)
    case .ownAuthority:
      let leaf = try laboratory.minter.leaf(for: host(Laboratory.name), at: now)
      try self.fail(laboratory.line(laboratory.upstream, leaf), &dice)
    case .rejectedByDevice:
      try self.fail(laboratory.line(laboratory.device, laboratory.good), &dice)
    case .noCommonProtocol:
      var line = try laboratory.line(
        laboratory.upstream,
        laboratory.good,
        offering: ["http/1.1"],
        selecting: "h2"
      )
      line.run()
      try require(line.clientFailure?.alert == 120, "\(String(describing: line.clientFailure))")
    case .refused:
      try self.refuse(laboratory, &dice)
    case .cut, .flipped, .noise:
      try self.disturb(laboratory, &dice)
    case .notTLS:
      let server = try laboratory.line(laboratory.upstream, laboratory.good).server
      var plaintext: [Bytes] = []
      let text = Bytes(Array("GET / HTTP/1.1\r\n\r\n".utf8) + dice.bytes(dice.number(0...64)))
      do throws(TLSFailure) { try server.receive(text, &plaintext) } catch {}
      try require(!server.isEstablished, "established by a request in the clear")
    case .resumed:
      try self.resume(laboratory, &dice)
    case .identified:
      let line = try laboratory.line(
        laboratory.identified,
        laboratory.good,
        by: laboratory.asking,
        maximumVersion: Self.version(&dice)
      )
      try self.succeed(line, &dice)
      try require(line.client.gotClientCertificate, "the upstream got no certificate")
    case .stapled:
      let line = try self.staple(laboratory.vouching, laboratory, &dice)
      try self.succeed(line, &dice)
      try require(line.client.facts.peer?.revocation?.status == .good, "the staple is not heard")
    case .revokedByStaple:
      try self.fail(self.staple(laboratory.revoking, laboratory, &dice), &dice)
    case .revokedByList:
      try self.fail(laboratory.line(laboratory.listing, laboratory.good), &dice)
    case .fetched:
      try self.fetch(laboratory, &dice)
    }
  }

  private static func version(_ dice: inout Dice) -> UInt16? {
    dice.number(0...1) == 0 ? 0x0303 : nil
  }

  private func staple(
    _ staple: [UInt8],
    _ laboratory: Laboratory,
    _ dice: inout Dice
  ) throws -> Line {
    try laboratory.line(
      laboratory.upstream,
      laboratory.good,
      by: laboratory.stapling,
      maximumVersion: Self.version(&dice),
      staple: staple
    )
  }

  /// Handshakes of one device with one upstream, each of which may go on from the one before.
  private func resume(_ laboratory: Laboratory, _ dice: inout Dice) throws {
    let attempt = Resumption(
      device: "phone-\(dice.number(1...2))",
      address: .v4(0xC000_0201),
      port: 443,
      now: now
    )
    let version = Self.version(&dice)
    for round in 0..<2 {
      let line = try laboratory.line(
        laboratory.identified,
        laboratory.good,
        by: laboratory.ticketing,
        maximumVersion: version,
        resuming: attempt
      )
      try self.succeed(line, &dice)
      try require(round == 0 || line.client.isResumed, "not resumed")
      try require(line.client.takeSecrets().isEmpty, "a key log of the upstream's leg")
      let secrets = line.server.takeSecrets()
      try require(!secrets.isEmpty && line.server.takeSecrets().isEmpty, "no key log")
    }
  }

  /// A handshake after which somebody is asked about the certificate, and answers well or badly.
  private func fetch(_ laboratory: Laboratory, _ dice: inout Dice) throws {
    var line = try laboratory.line(laboratory.fetching, laboratory.asked)
    line.run()
    guard let query = line.client.revocationQueries.first else {
      throw Broken("nobody is to be asked")
    }
    let junk = line.client.judge(Bytes(dice.bytes(dice.number(0...300))), to: query, at: now)
    guard case .unusable = junk else { throw Broken("junk is an answer: \(junk)") }
    var damaged = laboratory.vouching
    damaged[dice.number(0...damaged.count - 1)] ^= UInt8(dice.number(1...255))
    _ = line.client.judge(Bytes(damaged), to: query, at: now)
    let isGood = dice.number(0...1) == 0
    let answer = isGood ? laboratory.vouching : laboratory.revoking
    switch line.client.judge(Bytes(answer), to: query, at: now) {
    case .good: try require(isGood, "a revoked certificate is good")
    case .revoked: try require(!isGood, "a good certificate is revoked")
    case .unusable(let reason): throw Broken("unusable: \(reason)")
    }
  }

  /// A handshake that is to succeed; then both sides send, and close.
  private func succeed(_ line: Line, _ dice: inout Dice) throws {
    var line = line
    line.pieceLimit = dice.number(0...3) == 0 ? dice.number(1...100) : .max
    line.run()
    try require(line.isEstablished, "not established: \(Self.failures(of: line))")
    let request = dice.bytes(dice.number(1...2_000))
    let response = dice.bytes(dice.number(1...40_000))
    line.pieceLimit = dice.number(0...1) == 0 ? 1_460 : .max
    try line.client.send(Bytes(request))
    try line.server.send(Bytes(response))
    line.run()
    try require(line.serverReceived.flatMap(\.array) == request, "another request")
    try require(line.clientReceived.flatMap(\.array) == response, "another response")
    // Most close, some just go.
    guard dice.number(0...3) > 0 else { return }
    line.client.close()
    line.server.close()
    line.run()
    try require(line.client.peerHasClosed && line.server.peerHasClosed, "not closed")
    _ = line.client.facts
    _ = line.server.facts
  }

  /// A handshake that the client ends, because of the certificate.
  private func fail(_ line: Line, _ dice: inout Dice) throws {
    var line = line
    line.pieceLimit = dice.number(0...3) == 0 ? dice.number(1...100) : .max
    line.run()
    try require(line.clientFailure?.code == .untrusted, Self.failures(of: line))
    try require(!line.client.isEstablished, "established and untrusted")
    try require(line.serverFailure?.code == .alert, Self.failures(of: line))
    try require(line.client.facts.peer?.verification != "ok", "untrusted and verified")
  }

  /// A device's hello that is read first and then answered with an alert.
  private func refuse(_ laboratory: Laboratory, _ dice: inout Dice) throws {
    let client = try TLSSession.client(
      laboratory.device,
      host: host(Laboratory.name),
      applicationProtocols: ["h2"]
    )
    var parser = ClientHelloParser(limits: Limits())
    guard case .hello(let hello) = parser.receive(client.takeOutput()) else {
      throw Broken("a hello of our own that is none")
    }
    try require(ja4(ofHello: hello.raw) == hello.fingerprint, "two fingerprints")
    let alert: UInt8 = dice.number(0...1) == 0 ? 112 : 80
    let server = try TLSSession.refusal(laboratory.downstream, alert: alert)
    var plaintext: [Bytes] = []
    try server.receive(hello.raw, &plaintext)
    do throws(TLSFailure) {
      try client.receive(server.takeOutput(), &plaintext)
    } catch {
      try require(error.alert == alert, "\(error)")
      return
    }
    throw Broken("the refusal was not seen")
  }

  /// A handshake, and some data, over a line that is damaged somewhere.
  private func disturb(_ laboratory: Laboratory, _ dice: inout Dice) throws {
    var line = try laboratory.line(
      laboratory.upstream,
      laboratory.good,
      maximumVersion: dice.number(0...1) == 0 ? 0x0303 : nil
    )
    let place = dice.number(0...1_800)
    let damage: Line.Damage =
      switch self {
      case .cut: .cut(place)
      case .flipped: .flip(at: place, by: UInt8(dice.number(1...255)))
      default: .noise(from: place, dice.bytes(dice.number(1...400)))
      }
    if dice.number(0...1) == 0 { line.upward = damage } else { line.downward = damage }
    line.pieceLimit = dice.number(0...3) == 0 ? dice.number(1...50) : .max
    line.run()
    // The damage may come late, or never; sending is then as good as anything.
    if line.client.isEstablished { try? line.client.send(Bytes(dice.bytes(500))) }
    if line.server.isEstablished { try? line.server.send(Bytes(dice.bytes(500))) }
    line.run()
    _ = line.client.facts
    _ = line.server.facts
  }

  private static func failures(of line: Line) -> String {
    "client: \(line.clientFailure.map { "\($0)" } ?? "no failure"), "
      + "server: \(line.serverFailure.map { "\($0)" } ?? "no failure")"
  }
}
