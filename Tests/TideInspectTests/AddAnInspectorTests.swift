import Foundation
import Testing
import TideCoding
import TideCore

@testable import TideInspect

/// docs/add-an-inspector.md says what to write; this is what was written.
@Suite struct AddAnInspectorTests {
  @Test("The example finds its tickets in every container, and they can be redacted")
  func example() throws {
    let context = try makeContext([], inspectors: [], additional: [ExampleTicketInspector()])
    let body = Bytes("{\"ticket\":\"TW-004213\",\"x\":[\"TW-0042137\",\"re TW-118200\"]}")
    let fields = [("Content-Encoding", "gzip")]
    let coded = Gzip.encode(body)
    let findings = context.findings([coded], fields)
    #expect(
      findings.map(\.line) == [
        "example_ticket likely body $.ticket gzip", "example_ticket possible body $.x[1] gzip",
      ]
    )
    for cut in 1..<body.count {
      #expect(context.findings([body.slice(0..<cut), body.dropping(first: cut)]).count == 2)
    }
    let head = request("/t/TW-004213?id=TW-118200", fields)
    #expect(context.inspect(head: head, direction: .request).count == 2)
    #expect(context.inspect(head: head, direction: .response).isEmpty)
    let redacted = try #require(
      context.redact(body: coded, head: head, direction: .request, findings: findings)
    )
    #expect(redacted.changes.count == 2)
  }

  @Test("The documentation shows the example as it is compiled")
  func documentation() throws {
    let tests = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    let code = try String(contentsOfFile: "/\(tests)/AddAnInspectorExample.swift", encoding: .utf8)
    let page = try String(
      contentsOfFile: "/\(tests)/../../docs/add-an-inspector.md",
      encoding: .utf8
    )
    let blocks = page.components(separatedBy: "```")
    #expect(blocks.contains("swift\n" + code))
  }
}
