import Testing
import TideCore

@Suite("Heads and their fields")
struct MessageHeadTests {
  private let head = MessageHead(
    start: .request(method: "GET", target: "/a"),
    fields: HeaderFields([("Host", "a.example"), ("Cookie", "b=1"), ("cookie", "c=2")]),
    raw: "as it came"
  )

  @Test("What a copy changes is the copy's alone, and all else stays")
  func copies() {
    var copy = self.head
    copy.fields.removeAll("cookie")
    copy.version = .http10
    #expect(self.head.fields.count == 3)
    #expect(self.head.version == .http11)
    #expect(copy.fields.count == 1)
    #expect(copy.version == .http10)
    #expect(copy.start == self.head.start)
    #expect(copy.raw == "as it came")
    copy.fields.append(name: "Accept", value: "*/*")
    #expect(copy.fields.first("accept") == "*/*")
    #expect(self.head.fields.first("accept") == nil)
  }

  @Test("The one field of a name, and neither of two")
  func only() {
    #expect(self.head.fields.only("host") == "a.example")
    #expect(self.head.fields.only("cookie") == nil)
    #expect(self.head.fields.only("accept") == nil)
    #expect(HeaderFields([("COOKIE", "d=3")]).only("cookie") == "d=3")
  }
}
