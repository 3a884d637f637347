import TideCore
import TidePolicy
import TideRegion
import Testing

@testable import TideConfig

@Suite struct ConfigurationTests {
  private func parse(_ yaml: String, path: String = "t.yaml") throws -> Configuration {
    try Configuration(yaml: yaml, path: path)
  }

  @Test("PRODUCT.md section 5 is the default configuration, key by key")
  func golden() throws {
    var written = try self.parse(Examples.configuration, path: "tidewaiter.yaml")
    #expect(!written.rulesAreDefault && !written.regions.databasesAreDefault)
    written.rulesAreDefault = true
    written.regions.databasesAreDefault = true
    #expect(String(reflecting: written) == String(reflecting: Configuration.defaults))
    let empty = try self.parse("", path: "tidewaiter.yaml")
    #expect(String(reflecting: empty) == String(reflecting: Configuration.defaults))
  }

  @Test("The defaults are what the operators' manual says")
  func defaults() throws {
    let defaults = Configuration.defaults
    #expect(defaults.mode == .record)
    #expect(defaults.listen.proxy.map(\.description) == ["0.0.0.0:8080"])
    #expect(
      defaults.listen.allow.map(\.description) == [
        "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
      ]
    )
    #expect(defaults.ui.listen.description == "127.0.0.1:8081")
    #expect(defaults.ca.directory == "certs" && defaults.ca.key == .p256)
    #expect(defaults.ca.lifetime == .seconds(7_776_000))
    #expect(defaults.tls.upstreamRoots == .system && defaults.tls.revocation == .staple)
    #expect(defaults.tls.fronting == .refuse)
    #expect(defaults.tls.passthrough == ["captive.apple.com", "connectivitycheck.gstatic.com"])
    #expect(defaults.tls.learnPassthrough.after == 3)
    #expect(defaults.tls.learnPassthrough.duration == .seconds(3_600))
    #expect(defaults.upstream.hosts.isEmpty && defaults.upstream.allowSpecialUse.isEmpty)
    #expect(defaults.regions.databases == ["/usr/share/tor/geoip", "/usr/share/tor/geoip6"])
    #expect(defaults.regions.watch == ["CN"])
    #expect(defaults.regions.sets.map(\.name) == ["lab-cn"])
    #expect(defaults.regions.sets.flatMap(\.cidrs).map(\.description) == ["127.66.0.0/16"])
    #expect(defaults.devices == "devices" && defaults.rules == ["rules/default.yaml"])
    #expect(defaults.inspect.window == 65_536 && defaults.inspect.holdLimit == 1_048_576)
    #expect(defaults.inspect.decodedLimit == 8_388_608)
    #expect(defaults.inspect.depth == 8 && defaults.inspect.ratio == 100)
    #expect(defaults.inspect.time == .milliseconds(250) && defaults.inspect.inspectors == nil)
    #expect(defaults.caseFolder.directory == "cases" && defaults.caseFolder.name == nil)
    #expect(defaults.caseFolder.maxSize == 21_474_836_480 && defaults.caseFolder.maxAge == nil)
    #expect(defaults.caseFolder.evidence == .required && defaults.caseFolder.wire)
    #expect(defaults.caseFolder.fsync == .seconds(1))
    #expect(defaults.timeouts.dns == 5_000_000_000 && defaults.timeouts.idle == 300_000_000_000)
    #expect(defaults.loops == nil && defaults.log.level == .info && defaults.log.format == .text)
  }

  @Test("Every key can be set")
  func everyKey() throws {
    let configuration = try self.parse(
      """
      mode: block
      listen: { proxy: ["[::1]:0", "192.0.2.1:3128"], allow: [link-local, 198.51.100.7, loopback] }
      ui: { listen: "[::1]:9000" }
      ca: { dir: /var/ca, key: rsa2048, lifetime: 30d }
      tls:
        upstream_roots: roots.pem
        revocation: off
        fronting: judge
        passthrough: "*.Bank.example."
        learn_passthrough: { after: 5, for: 10m }
      upstream:
        hosts: { API.lab.example: 192.0.2.5, two.example: ["2001:db8::1", "192.0.2.6"] }
        allow_special_use: [loopback, 10.1.0.0/16]
      regions:
        databases: [db/a.mmdb]
        watch: [ru, lab, unknown]
        sets:
          lab: { country: cn, cidr: 192.0.2.0/24, asn: [AS64496, 64497], host: ["*.Lab.example"] }
          empty: {}
      devices: ../phones
      rules: [a.yaml, /etc/b.yaml]
      inspect: { window: 32KiB, hold_limit: 2MiB, decoded_limit: 16 MiB, depth: 4, ratio: 50, time: 1s, inspectors: [imei, email] }
      case: { dir: out, name: shop-visit, max_size: null, max_age: 90d, evidence: best-effort, fsync: 250ms, wire: false }
      timeouts: { dns: 1s, connect: 2s, handshake: 3s, header: 4s, response: 1500ms, idle: 1h }
      loops: 4
      log: { level: debug, format: json }
      """,
      path: "etc/t.yaml"
    )
    #expect(configuration.mode == .block)
    #expect(configuration.listen.proxy.map(\.description) == ["[::1]:0", "192.0.2.1:3128"])
    #expect(
      configuration.listen.allow.map(\.description) == [
        "169.254.0.0/16", "fe80::/10", "198.51.100.7/32", "127.0.0.0/8", "::1/128",
      ]
    )
    #expect(configuration.ui.listen.description == "[::1]:9000")
    #expect(configuration.ca.directory == "/var/ca" && configuration.ca.key == .rsa2048)
    #expect(configuration.ca.lifetime == .seconds(30 * 86_400))
    #expect(configuration.tls.upstreamRoots == .file("etc/roots.pem"))
    #expect(configuration.tls.revocation == .off && configuration.tls.fronting == .judge)
    #expect(configuration.tls.passthrough == ["*.bank.example"])
    #expect(configuration.tls.learnPassthrough == .init(after: 5, duration: .seconds(600)))
    let hosts = configuration.upstream.hosts.map { "\($0.key) \($0.value)" }.sorted()
    #expect(hosts == ["api.lab.example [192.0.2.5]", "two.example [2001:db8::1, 192.0.2.6]"])
    #expect(
      configuration.upstream.allowSpecialUse.map(\.description) == [
        "127.0.0.0/8", "::1/128", "10.1.0.0/16",
      ]
    )
    #expect(configuration.regions.databases == ["etc/db/a.mmdb"])
    #expect(configuration.regions.watch == ["RU", "lab", "unknown"])
    #expect(configuration.regions.sets.map(\.name) == ["lab", "empty"])
    #expect(configuration.regions.sets.first?.country == "CN")
    #expect(configuration.regions.sets.first?.asns == [64_496, 64_497])
    #expect(configuration.regions.sets.first?.hosts == ["*.lab.example"])
    #expect(configuration.devices == "etc/../phones")
    #expect(configuration.rules == ["etc/a.yaml", "/etc/b.yaml"])
    #expect(configuration.inspect.inspectors == ["imei", "email"])
    #expect(configuration.inspect.time == .seconds(1))
    let limits = configuration.limits
    #expect(limits.windowBytes == 32_768 && limits.holdBytes == 2_097_152)
    #expect(limits.decodedBytes == 16_777_216 && limits.decodedRatio == 50)
    #expect(configuration.inspect.depth == 4)
    #expect(configuration.caseFolder.directory == "etc/out")
    #expect(
      configuration.caseFolder.name == "shop-visit" && configuration.caseFolder.maxSize == nil
    )
    #expect(configuration.caseFolder.maxAge == .seconds(90 * 86_400))
    #expect(configuration.caseFolder.evidence == .bestEffort && !configuration.caseFolder.wire)
    #expect(configuration.caseFolder.fsync == .milliseconds(250))
    #expect(configuration.timeouts.dns == 1_000_000_000)
    #expect(configuration.timeouts.connect == 2_000_000_000)
    #expect(configuration.timeouts.handshake == 3_000_000_000)
    #expect(configuration.timeouts.header == 4_000_000_000)
    #expect(configuration.timeouts.response == 1_500_000_000)
    #expect(configuration.timeouts.idle == 3_600_000_000_000)
    #expect(configuration.loops == 4)
    #expect(configuration.log == .init(level: .debug, format: .json))
  }

  @Test("Default paths too are relative to the file's folder")
  func basePath() throws {
    let configuration = try self.parse("mode: observe", path: "/srv/tw/tidewaiter.yaml")
    #expect(configuration.basePath == "/srv/tw")
    #expect(configuration.rules == ["/srv/tw/rules/default.yaml"] && configuration.rulesAreDefault)
    #expect(configuration.devices == "/srv/tw/devices")
    #expect(configuration.ca.directory == "/srv/tw/certs")
    #expect(configuration.caseFolder.directory == "/srv/tw/cases")
    #expect(configuration.regions.databases == ["/usr/share/tor/geoip", "/usr/share/tor/geoip6"])
  }

  @Test("A key of which every line is commented out is as good as not written")
  func commentedOut() throws {
    let configuration = try self.parse("tls:\n  # fronting: judge\ncase:\nlog: ~\n")
    #expect(configuration.tls.fronting == .refuse && configuration.log == .init())
  }

  @Test("Every problem of a file is told, in the order of the file")
  func allProblems() {
    let yaml = """
      mod: block
      listen:
        proxy: 8080
        allow: [privat, any, 0.0.0.0/0, 300.0.0.0/8]
      ui: 127.0.0.1:8081
      upstream:
        hosts: { a.example: [], A.Example: 192.0.2.1, "b c": x }
      regions: { watch: [CHN], sets: { cn: {}, local: {}, My_set: { cuontry: CN } } }
      inspect: { window: 64, time: 5, depth: [] }
      case: { wire: yes, name: ../x, evidence: requierd }
      timeouts: { dns: 0s, idle: }
      loops: many
      tls: { passthrough: ["https://a.example/", "a.example:443", "a*.example"] }
      """
    #expect(
      problems(configuration: yaml) == [
        "t.yaml:1:1: unknown key \"mod\"; did you mean \"mode\"?",
        "t.yaml:3:10: listen.proxy: expected ADDRESS:PORT such as 0.0.0.0:8080 or [::1]:8080, found \"8080\"",
        "t.yaml:4:11: listen.allow: expected link-local, loopback, private or a block such as 192.0.2.0/24, found \"privat\"; did you mean \"private\"?",
        "t.yaml:4:19: listen.allow: \"any\" would make an open proxy: name the networks of the devices, such as 198.51.100.0/24",
        "t.yaml:4:24: listen.allow: \"0.0.0.0/0\" would make an open proxy: name the networks of the devices, such as 198.51.100.0/24",
        "t.yaml:4:35: listen.allow: expected link-local, loopback, private or a block such as 192.0.2.0/24, found \"300.0.0.0/8\"",
        "t.yaml:5:5: ui: expected a mapping of keys to values, found \"127.0.0.1:8081\"",
        "t.yaml:7:23: upstream.hosts.a.example: the list is empty; expected an IP address",
        "t.yaml:7:27: upstream.hosts.A.Example: a.example is written twice",
        "t.yaml:7:49: upstream.hosts.b c: expected a host name, found \"b c\"",
        "t.yaml:7:56: upstream.hosts.b c: expected an IP address, found \"x\"",
        "t.yaml:8:20: regions.watch: expected a country code of two letters, the name of a set, local or unknown, found \"CHN\"",
        "t.yaml:8:34: regions.sets.cn: \"cn\" would be taken for a country",
        "t.yaml:8:42: regions.sets.local: \"local\" has a meaning of its own in rules",
        "t.yaml:8:53: regions.sets.My_set: expected the name of a set of a-z, 0-9 and -, at most 64 characters, found \"My_set\"",
        "t.yaml:9:20: inspect.window: expected a size such as 64KiB, from 1KiB to 16MiB, found \"64\"",
        "t.yaml:9:30: inspect.time: expected a duration such as 250ms, 5s, 10m, 1h or 90d, from 1ms to 1m, found \"5\"",
        "t.yaml:9:40: inspect.depth: expected a number from 1 to 32, found a list",
        "t.yaml:10:15: case.wire: expected true or false, found \"yes\"",
        "t.yaml:10:26: case.name: expected auto or a name of letters, digits, -, _ and ., found \"../x\"",
        "t.yaml:10:42: case.evidence: expected required or best-effort, found \"requierd\"; did you mean \"required\"?",
        "t.yaml:11:18: timeouts.dns: expected a duration such as 250ms, 5s, 10m, 1h or 90d, from 1ms to 1d, found \"0s\"",
        "t.yaml:11:28: timeouts.idle: expected a duration such as 250ms, 5s, 10m, 1h or 90d, from 1ms to 1d, found nothing",
        "t.yaml:12:8: loops: expected auto or a number from 1 to 256, found \"many\"",
        "t.yaml:13:22: tls.passthrough: \"https://a.example/\" is a URL: only its host name is meant here",
        "t.yaml:13:44: tls.passthrough: \"a.example:443\" has a port: name it under port",
        "t.yaml:13:61: tls.passthrough: \"a*.example\" has a * that is not the first label",
      ]
    )
  }

  @Test("A case is encrypted by a file with a key or with a passphrase")
  func encryption() throws {
    func key(_ yaml: String) throws -> Configuration.Case.EncryptKey? {
      try Configuration(yaml: "case: { encrypt_key: \(yaml) }", path: "lab/t.yaml").caseFolder
        .encryptKey
    }
    #expect(try key("case.key") == .key("lab/case.key"))
    #expect(try key("{ passphrase_file: /run/words }") == .passphrase("/run/words"))
    #expect(try key("null") == nil)
    var configuration = Configuration.defaults
    try configuration.apply(environment: ["TIDEWAITER_CASE_ENCRYPT_KEY": "other.key"])
    #expect(configuration.caseFolder.encryptKey == .key("other.key"))
    try configuration.apply(environment: ["TIDEWAITER_MODE": "record"])
    #expect(configuration.caseFolder.encryptKey == .key("other.key"))
    #expect(
      problems(configuration: "case: { encrypt_key: { passphrase: x } }") == [
        "t.yaml:1:22: the key \"case.encrypt_key.passphrase_file\" is missing",
        "t.yaml:1:24: unknown key \"passphrase\" under case.encrypt_key",
      ]
    )
    #expect(
      problems(configuration: "case: { encrypt_key: [], tsa: \"tsa.example\" }") == [
        "t.yaml:1:22: case.encrypt_key: expected null or a path, found a list",
        "t.yaml:1:31: case.tsa: expected null or an http or https URL, found \"tsa.example\"",
      ]
    )
    #expect(
      problems(configuration: "ca: { permt: [] }") == [
        "t.yaml:1:7: unknown key \"permt\" under ca; did you mean \"permit\"?"
      ]
    )
  }

  @Test(
    "Authentication is off, by an htpasswd file or by a file of tokens, seen from the configuration"
  )
  func authentication() throws {
    func auth(_ value: String) throws -> Configuration.Authentication {
      try Configuration(yaml: "listen: { auth: \(value) }", path: "etc/t.yaml").listen.auth
    }
    #expect(Configuration.defaults.listen.auth == .off)
    #expect(try auth("none") == .off)
    #expect(try auth("{ basic: users }") == .basic("etc/users"))
    #expect(try auth("{ tokens: /etc/tide/tokens }") == .tokens("/etc/tide/tokens"))
  }

  @Test(
    "What is written under auth and is not one of its three forms never means that all are served"
  )
  func authenticationRefused() {
    func problem(_ value: String) -> [String] {
      problems(configuration: "listen: { auth: \(value) }")
    }
    let forms = "none, { basic: FILE } or { tokens: FILE }"
    #expect(
      problem("nne") == [
        "t.yaml:1:17: listen.auth: expected \(forms), found \"nne\"; did you mean \"none\"?"
      ]
    )
    #expect(problem("~") == ["t.yaml:1:17: listen.auth: expected \(forms), found nothing"])
    #expect(problem("[]") == ["t.yaml:1:17: listen.auth: expected \(forms), found a list"])
    #expect(
      problem("{}") == ["t.yaml:1:17: listen.auth: expected \(forms), found an empty mapping"]
    )
    #expect(
      problem("{ basic: a, tokens: b }") == [
        "t.yaml:1:17: listen.auth: basic and tokens cannot both be"
      ]
    )
    #expect(
      problem("{ basci: a }") == [
        "t.yaml:1:19: unknown key \"basci\" under listen.auth; did you mean \"basic\"?"
      ]
    )
    #expect(
      problem("{ basic: }") == [
        "t.yaml:1:26: listen.auth.basic: expected a path, found nothing"
      ]
    )
  }

  @Test("Another version of the format, and a document that is no mapping, are refused")
  func notAConfiguration() {
    #expect(
      problems(configuration: "version: 2") == [
        "t.yaml:1:10: version: expected 1, the version that this program reads, found \"2\""
      ]
    )
    #expect(
      problems(configuration: "- mode: block") == [
        "t.yaml:1:1: expected a mapping of keys to values, found a list"
      ]
    )
  }
}
