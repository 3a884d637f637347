import TideCore
import Testing

@testable import TideConfig

@Suite struct EnvironmentTests {
  private func problems(_ environment: [String: String]) -> [String] {
    TideConfigTests.problems { () throws(ConfigFailure) in
      var configuration = Configuration.defaults
      try configuration.apply(environment: environment)
    }
  }

  @Test("Variables override what the file says and leave the rest")
  func overrides() throws {
    var configuration = try Configuration(
      yaml: "mode: observe\nlisten: { proxy: 127.0.0.1:1 }\nlog: { level: error }",
      path: "etc/t.yaml"
    )
    try configuration.apply(environment: [
      "TIDEWAITER_MODE": "block",
      "TIDEWAITER_LISTEN_PROXY": "127.0.0.1:0, [::1]:0",
      "TIDEWAITER_CASE_MAX_SIZE": "null",
      "TIDEWAITER_CASE_DIR": "out",
      "TIDEWAITER_TLS_LEARN_PASSTHROUGH_AFTER": "9",
      "TIDEWAITER_RULES": "[]",
      "TIDEWAITER_REGIONS_WATCH": "",
      "TIDEWAITER_TLS_REVOCATION": "off",
      "TIDEWAITER_CA_PERMIT": "[]",
      "PATH": "/bin",
    ])
    #expect(configuration.mode == .block && configuration.log.level == .error)
    #expect(configuration.listen.proxy.map(\.description) == ["127.0.0.1:0", "[::1]:0"])
    #expect(configuration.caseFolder.maxSize == nil && configuration.caseFolder.directory == "out")
    #expect(configuration.tls.learnPassthrough.after == 9 && configuration.tls.revocation == .off)
    #expect(configuration.rules.isEmpty && !configuration.rulesAreDefault)
    #expect(configuration.regions.watch == ["CN"])
    #expect(configuration.devices == "etc/devices")
  }

  @Test("Problems name the variable, and nothing is changed by an environment with one")
  func refused() {
    #expect(
      self.problems([
        "TIDEWAITER_MODE": "blok", "TIDEWAITER_MOED": "block", "TIDEWAITER_CASE_TSA": "x",
      ]) == [
        "TIDEWAITER_CASE_TSA: case.tsa: expected null or an http or https URL, found \"x\"",
        "TIDEWAITER_MODE: mode: expected observe, record, redact or block, found \"blok\"; did you mean \"block\"?",
        "TIDEWAITER_MOED: no such setting; did you mean \"TIDEWAITER_MODE\"?",
      ]
    )
    var configuration = Configuration.defaults
    #expect(throws: ConfigFailure.self) {
      try configuration.apply(environment: ["TIDEWAITER_LOOPS": "2", "TIDEWAITER_MODE": "x"])
    }
    #expect(configuration.loops == nil)
  }

  @Test("Authentication is set by the variable of its form, and taken back by none")
  func authentication() throws {
    var configuration = Configuration.defaults
    try configuration.apply(environment: ["TIDEWAITER_LISTEN_AUTH_TOKENS": "lab/tokens"])
    #expect(configuration.listen.auth == .tokens("lab/tokens"))
    try configuration.apply(environment: ["TIDEWAITER_LISTEN_AUTH": "none"])
    #expect(configuration.listen.auth == .off)
    #expect(
      self.problems(["TIDEWAITER_LISTEN_AUTH": "basic"]) == [
        "TIDEWAITER_LISTEN_AUTH: listen.auth: expected none, { basic: FILE } or { tokens: FILE }, found \"basic\""
      ]
    )
  }

  @Test("A variable that is known to mean something else is left alone")
  func others() throws {
    var configuration = Configuration.defaults
    try configuration.apply(
      environment: ["TIDEWAITER_CONFIG": "x.yaml"],
      except: ["TIDEWAITER_CONFIG"]
    )
    #expect(configuration.mode == .record)
  }

  @Test("Every key of PRODUCT.md section 5 but the mappings with free names has a variable")
  func everyKeyHasAVariable() {
    let session = ReadingSession(file: "t.yaml")
    let document = YAMLReader.read(Examples.configuration, path: "t.yaml", session.problems)
    func keys(_ value: YAMLValue?, _ path: String) -> [String] {
      guard case .mapping(let entries) = value?.content else { return [path] }
      return entries.flatMap { keys($0.value, path.isEmpty ? $0.key : "\(path).\($0.key)") }
    }
    let free = ["regions.sets", "upstream.hosts"]
    let expected = keys(document, "").filter { key in !free.contains { key.hasPrefix($0) } }
    let known = Set(Configuration.variables.values.map(\.key))
    #expect(expected.count > 40)
    #expect(expected.allSatisfy(known.contains))
  }
}
