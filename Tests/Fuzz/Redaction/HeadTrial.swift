import Support
import TideCore
import TideInspect

/// One head: inspected, redacted, inspected again.
struct HeadTrial {
  private let context: InspectionContext
  private let head: MessageHead

  init(_ laboratory: Laboratory, _ plain: Bytes, at place: Setup.Place) {
    self.context = laboratory.context
    // What a codec lets through (RFC 9112 §3.2, RFC 9110 §5.5).
    let value = Bytes(
      plain.map { byte in
        switch place {
        case .query: byte > 0x20 && byte < 0x7F ? byte : 0x2E
        case .field, .cookie: byte >= 0x20 && byte != 0x7F ? byte : 0x20
        }
      }
    )
    var target: Bytes = "/collect?a="
    var fields = HeaderFields([("Host", "api.example")])
    switch place {
    case .query: target.append(value)
    case .field: fields.append(name: "X-Device", value: value)
    case .cookie: fields.append(name: "Cookie", value: value)
    }
    self.head = MessageHead(start: .request(method: "GET", target: target), fields: fields)
  }

  func run() {
    let findings = self.context.inspect(head: self.head, direction: .request)
    guard
      let result = self.context.redact(
        head: self.head,
        direction: .request,
        findings: findings
      )
    else { return }
    let secrets = Set(findings.map(Secret.init))
    let left = self.context.inspect(head: result.head, direction: .request)
      .filter { secrets.contains(Secret($0)) }
    require(
      left.isEmpty,
      "still there: \(left.shown) in \(self.shown(result.head)), of \(findings.shown)"
        + " in \(self.shown(self.head))"
    )
    require(result.changes.isEmpty == findings.isEmpty, "changes without findings, or none with")
    let before = self.head
    let after = result.head
    require(after.fields.count == before.fields.count, "another number of fields")
    for index in 0..<before.fields.count {
      let value = after.fields.value(at: index)
      require(after.fields.name(at: index) == before.fields.name(at: index), "another field")
      require(value.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a value that cannot be sent")
      if findings.isEmpty { require(value == before.fields.value(at: index), "another value") }
    }
    require(after.target.starts(with: "/collect?a=".utf8), "another path: \(after.target.text)")
    require(
      after.target.allSatisfy { $0 > 0x20 && $0 != 0x7F },
      "a target that cannot be sent: \(after.target.text.debugDescription)"
    )
  }

  private func shown(_ head: MessageHead) -> String {
    (head.target.text + " " + head.fields.buffer.text).debugDescription
  }
}
