import Testing
import TideCore
import TideHTTP

@testable import TideProxy

@Suite struct RequestDestinationTests {
  @Test(
    "The origin-form is made of the head as redaction left it, with or without a path",
    arguments: [
      ("GET", "http://api.example/p?i=1", "http://api.example/p?i=2", "/p?i=2"),
      ("GET", "http://api.example?i=1", "http://api.example?i=2", "/?i=2"),
      ("GET", "http://api.example/", "http://api.example/", "/"),
      ("GET", "http://api.example", "http://api.example", "/"),
      ("GET", "http://api.example:8080", "http://api.example:8080", "/"),
      ("OPTIONS", "http://api.example", "http://api.example", "*"),
      ("OPTIONS", "http://api.example/", "http://api.example/", "/"),
      ("OPTIONS", "*", "*", "*"),
      ("GET", "/p?i=1", "/p?i=2", "/p?i=2"),
    ]
  )
  func originForm(method: String, target: String, redacted: String, expected: String) throws {
    let authority = try #require(Authority("api.example:80", defaultPort: 80))
    let route = Route(
      answerer: .upstream,
      facts: ConnectionFacts(
        connection: ConnectionID(1),
        device: "redmi",
        client: World.address("192.0.2.200"),
        authority: authority,
        serverName: nil,
        address: nil,
        region: .unknown,
        candidates: [],
        treatment: .intercepted,
        scheme: "http"
      ),
      names: [authority.host],
      leafHost: authority.host,
      isSecure: false,
      isTunnel: false
    )
    func head(_ target: String) -> MessageHead {
      MessageHead(
        start: .request(method: Bytes(method), target: Bytes(target)),
        fields: HeaderFields([("Host", "api.example")])
      )
    }
    let destination = try RequestDestination(head(target), route: route)
    #expect(destination.outgoing(head(redacted), route: route).target.text == expected)
  }
}
