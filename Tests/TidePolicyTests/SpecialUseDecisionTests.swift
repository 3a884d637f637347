import Testing
import TideCore
import TidePolicy
import TideRegion

@Suite struct SpecialUseDecisionTests {
  @Test(
    "Every spelling of a loopback, private or metadata address is refused in every mode",
    arguments: [
      "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "[::1]",
      "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
      "[::127.0.0.1]",
      "0.0.0.0", "0", "[::]", "10.1.2.3", "192.168.1.1", "100.64.0.1", "169.254.169.254",
      "[fd00:ec2::254]", "[fe80::1]", "[fc00::1]", "224.0.0.1", "255.255.255.255",
      "[64:ff9b:1::808:808]", "[2001:0:808:808::f5ff:fffe]",
    ]
  )
  func refused(host: String) throws {
    for mode in Mode.allCases {
      let policy = try Laboratory.policy(mode, [])
      let decision = policy.decideConnect(try Laboratory.request("\(host):80"))
      guard case .refuse(.specialUse(let address, let use)) = decision.outcome else {
        Issue.record("\(host) in \(mode): \(decision.outcome)")
        continue
      }
      #expect(SpecialUse.name(of: address) == use)
      // The same address as the answer of a resolver.
      let resolved = ConnectRequest(
        device: "redmi",
        authority: try #require(Authority("rebind.example:80", defaultPort: nil)),
        resolved: [address]
      )
      #expect(policy.decideConnect(resolved).outcome == decision.outcome)
    }
  }

  @Test("Addresses of special use are struck out and the others are dialled")
  func struckOut() throws {
    let policy = try Laboratory.policy(.record, [])
    let request = try Laboratory.request("a.example:443", ["127.0.0.1", "203.0.113.7", "::1"])
    let decision = policy.decideConnect(request)
    guard case .dial(let targets) = decision.outcome else {
      Issue.record("\(decision.outcome)")
      return
    }
    #expect(targets.map(\.address.description) == ["203.0.113.7"])
    #expect(decision.candidates.count == 3)
  }

  @Test("A set that names a region for a special address does not allow it to be dialled")
  func setIsNoLeave() throws {
    let set = RegionSet(
      name: "lab-cn",
      country: "CN",
      cidrs: [CIDR("127.66.0.0/16")].compactMap(\.self)
    )
    let request = try Laboratory.request("a.example:443", ["127.66.0.1"])
    let refused = try Laboratory.policy(.record, [], sets: [set]).decideConnect(request)
    #expect(
      refused.outcome == .refuse(.specialUse(try Laboratory.address("127.66.0.1"), "loopback"))
    )
    let rule = Laboratory.rule("r", .block) { $0.region = ["lab-cn"] }
    let allowed = try Laboratory.policy(.block, [rule], sets: [set]) {
      $0.allowSpecialUse = [CIDR("127.0.0.0/8")].compactMap(\.self)
    }
    #expect(allowed.decideConnect(request).outcome == .sinkhole(RuleID("r")))
  }

  @Test("What is allowed is dialled, and an IPv4 address inside an IPv6 one needs leave of its own")
  func allowed() throws {
    let policy = try Laboratory.policy(.record, []) {
      $0.allowSpecialUse = ["127.0.0.0/8", "64:ff9b:1::/48"].compactMap { CIDR($0) }
    }
    for (text, isDialled) in [
      ("127.0.0.1", true), ("::ffff:127.0.0.1", true), ("64:ff9b::7f00:1", true),
      ("64:ff9b:1::7f00:1", true), ("64:ff9b:1::a00:1", false), ("64:ff9b::a00:1", false),
      ("::1", false),
    ] {
      let decision = policy.decideConnect(try Laboratory.request("a.example:443", [text]))
      if case .dial = decision.outcome {
        #expect(isDialled, "\(text)")
      } else {
        #expect(!isDialled, "\(text)")
      }
    }
  }

  @Test("A mapped block in the list of what is allowed counts for the IPv4 addresses it stands for")
  func mappedLeave() throws {
    let policy = try Laboratory.policy(.record, []) {
      $0.allowSpecialUse = [CIDR("::ffff:10.0.0.0/104")].compactMap(\.self)
    }
    let decision = policy.decideConnect(try Laboratory.request("10.9.8.7:443"))
    guard case .dial = decision.outcome else {
      Issue.record("\(decision.outcome)")
      return
    }
  }

  @Test("The proxy refuses itself, allowed or not, and before it speaks of special use")
  func loop() throws {
    let policy = try Laboratory.policy(.record, []) {
      $0.allowSpecialUse = ["127.0.0.0/8", "192.168.0.0/16", "0.0.0.0/8"].compactMap { CIDR($0) }
      $0.ownAddresses = ["0.0.0.0", "192.168.1.10"].compactMap { IPAddress($0) }
      $0.ownPorts = [8080, 8081]
    }
    for (authority, isLoop) in [
      ("192.168.1.10:8080", true), ("192.168.1.10:8081", true), ("192.168.1.10:443", false),
      ("127.0.0.1:8080", true), ("127.9.9.9:8080", true), ("[::1]:8080", true),
      ("0.0.0.0:8080", true),
      ("[::]:8081", true), ("[::ffff:192.168.1.10]:8080", true), ("[64:ff9b::c0a8:10a]:8080", true),
      ("192.168.1.11:8080", false), ("127.0.0.1:443", false),
    ] {
      let outcome = policy.decideConnect(try Laboratory.request(authority)).outcome
      if case .refuse(.loop) = outcome {
        #expect(isLoop, "\(authority)")
      } else {
        #expect(!isLoop, "\(authority): \(outcome)")
      }
    }
    let mixed = try Laboratory.request("a.example:8080", ["203.0.113.7", "192.168.1.10"])
    #expect(
      policy.decideConnect(mixed).outcome == .refuse(.loop(try Laboratory.address("192.168.1.10")))
    )
  }
}
