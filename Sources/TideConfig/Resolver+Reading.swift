import TideCore

extension Configuration.Upstream {
  /// The most name servers: each is asked in its turn, within one time-out.
  private static let mostNameServers = 8

  /// Reads `upstream.resolver`: `system`, or the servers to ask.
  mutating func readResolver(_ upstream: inout MappingReader) {
    upstream.session.note(upstream.name(of: "resolver"), .list)
    guard let value = upstream.value("resolver") else { return }
    let items: [YAMLValue]
    switch value.content {
    case .list(let written): items = written
    case .scalar, .null, .mapping: items = [value]
    }
    if items.count == 1, items[0].brief == "system" {
      self.nameServers = []
      return
    }
    if items.isEmpty {
      upstream.report(
        "the list is empty; expected \(ScalarForm.nameServer.expected)",
        key: "resolver",
        at: value
      )
    }
    var servers: [NameServer] = []
    for item in items {
      guard let server = upstream.scalar(item, .nameServer, "resolver") else { continue }
      if servers.contains(server) {
        upstream.report("\(server) is written twice", key: "resolver", at: item)
      } else if servers.count == Self.mostNameServers {
        upstream.report("more than \(Self.mostNameServers) servers", key: "resolver", at: item)
        break
      }
      servers.append(server)
    }
    self.nameServers = servers
  }
}

extension ScalarForm where Value == NameServer {
  /// A server that names are asked of.
  fileprivate static var nameServer: Self {
    Self(
      expected: "system, or ADDRESS:PORT such as 9.9.9.9:53 or [2620:fe::fe]:53",
      words: ["system"],
      objection: Self.objection
    ) { NameServer($0) }
  }

  private static func objection(_ text: String) -> String? {
    if text == "system" { return "stands alone, not beside servers" }
    if text.contains("://") {
      return "is a URL: DNS over TLS or HTTPS is not spoken; write the ADDRESS:PORT of a DNS server"
    }
    guard let authority = Authority(text, defaultPort: 53) else { return nil }
    switch authority.host {
    case .name: return "is a name, which would have to be looked up itself: write its address"
    case .address(let address):
      return address.isUnspecified ? "is no server's address" : nil
    }
  }
}
