import Foundation
import TideCore
import Testing

@testable import TideProxy

@Suite struct ProxyCredentialsTests {
  private func basic(_ text: String) -> ProxyCredentials? {
    ProxyCredentials(field: Bytes("Basic " + Data(text.utf8).base64EncodedString()))
  }

  @Test("Basic is a user up to the first colon and a password with the rest")
  func basic() {
    #expect(self.basic("redmi:secret") == .basic(user: "redmi", password: "secret"))
    #expect(self.basic("redmi:a:b:") == .basic(user: "redmi", password: "a:b:"))
    #expect(self.basic(":") == .basic(user: "", password: ""))
    #expect(self.basic("手機:密碼") == .basic(user: "手機", password: "密碼"))
    // RFC 7617 §2's own example.
    #expect(
      ProxyCredentials(field: "bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        == .basic(user: "Aladdin", password: "open sesame")
    )
  }

  @Test("Bearer is a token as it is")
  func bearer() {
    #expect(ProxyCredentials(field: "Bearer mF_9.B5f-4.1JqM==") == .bearer("mF_9.B5f-4.1JqM=="))
    #expect(ProxyCredentials(field: "BEARER a") == .bearer("a"))
  }

  @Test(
    "What is malformed, of another scheme or too long is no credentials",
    arguments: [
      "", "Basic", "Basic ", "Basic  ", "Basic !!!!", "Basic cmVkbWk=", "Basic cmVkbWk6eA=",
      "Basic cmVkbWk6eB==", "Basic cmVk bWk6eA==", "Basic  \tcmVkbWk6eA==", "Bearer", "Bearer ",
      "Bearer =", "Bearer a=b", "Bearer a b", "Bearer a,b", "Digest username=\"a\"",
      "Negotiate YII=", "cmVkbWk6eA==", "Basic\tcmVkbWk6eA==",
    ]
  )
  func malformed(value: String) {
    #expect(ProxyCredentials(field: Bytes(value)) == nil)
  }

  @Test("Control characters and more than 4 KiB are refused")
  func bounds() {
    #expect(self.basic("redmi:a\u{0}b") == nil)
    #expect(self.basic("red\nmi:a") == nil)
    let fits = Bytes("Bearer " + String(repeating: "a", count: 4_089))
    #expect(ProxyCredentials(field: fits) != nil)
    #expect(ProxyCredentials(field: Bytes(fits.array + [0x61])) == nil)
  }

  @Test("Records keep a head's bytes but for its credentials, in any case, with their length")
  func masked() {
    let raw =
      "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nPROXY-authorization: Basic cmVk\r\n"
      + "X-Proxy-Authorization: kept\r\n\r\n"
    var fields = HeaderFields([("Host", "a.example")])
    fields.append(name: "PROXY-authorization", value: "Basic cmVk")
    let head = MessageHead(
      start: .request(method: "GET", target: "http://a.example/"),
      fields: fields,
      raw: Bytes(raw)
    )
    let kept = head.recordable.text
    #expect(kept.utf8.count == raw.utf8.count)
    #expect(kept == raw.replacing("Basic cmVk", with: "***** ****"))
    let other = MessageHead(
      start: .request(method: "GET", target: "/"),
      fields: HeaderFields([("Host", "a.example")]),
      raw: "GET / HTTP/1.1\r\n\r\n"
    )
    #expect(other.recordable == other.raw)
  }
}
