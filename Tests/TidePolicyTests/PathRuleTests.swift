import Testing
import TideCore
import TidePolicy

@Suite struct PathRuleTests {
  private func decides(_ rule: Rule, _ path: String) throws -> Bool {
    let policy = try Laboratory.policy(.block, [rule])
    let facts = try Laboratory.facts(policy) { $0.path = Bytes(path) }
    return policy.verdict(for: facts).rule != nil
  }

  @Test(
    "A rule on a path sees through every spelling that a server takes for it",
    arguments: [
      "/api/ads", "/api/%61ds", "/%61%70%69/ads", "//api/ads", "/api//ads", "/api/./ads",
      "/./api/ads", "/api/x/../ads", "/x/../api/ads", "/../api/ads", "/api/x/%2e%2e/ads",
      "/api%2Fads", "/api/%2E/ads",
    ]
  )
  func dodges(path: String) throws {
    #expect(try self.decides(Laboratory.rule("r", .block) { $0.path = ["/api/ads"] }, path))
  }

  @Test(
    "Paths that are other paths stay so",
    arguments: [
      "/api/ads/", "/api/ad%73x", "/API/ads", "/api/ads/..", "/api/%2561ds", "/api/%ads", "/api/%6",
      "/", "",
    ]
  )
  func others(path: String) throws {
    #expect(try !self.decides(Laboratory.rule("r", .block) { $0.path = ["/api/ads"] }, path))
  }

  @Test("What was sent counts too: a pattern may be written for the encoded form")
  func encodedPattern() throws {
    let rule = Laboratory.rule("r", .block) { $0.path = ["/a%2Fb"] }
    #expect(try self.decides(rule, "/a%2Fb"))
    #expect(try !self.decides(rule, "/a/b"))
  }

  @Test("An exception for a path holds only for what is that path in both forms")
  func exception() throws {
    let rule = Laboratory.rule(
      "r",
      .block,
      unless: Laboratory.conditions { $0.path = ["/ok/*"] }
    ) { $0.region = ["CN"] }
    #expect(try !self.decides(rule, "/ok/x"))
    #expect(try !self.decides(rule, "/ok/%78"))
    #expect(try self.decides(rule, "/ok/../secret"))
    #expect(try self.decides(rule, "/ok/%2e%2e/secret"))
    #expect(try self.decides(rule, "/%6Fk/x"))
  }

  @Test("A directory's slash at the end is kept")
  func trailingSlash() throws {
    let rule = Laboratory.rule("r", .block) { $0.path = ["/a/"] }
    for path in ["/a/", "/a//", "/a/.", "/a/b/..", "//a/"] {
      #expect(try self.decides(rule, path), "\(path)")
    }
  }
}
