import Foundation
import Support
import TideCore
import TideInspect

/// One body: inspected, redacted, inspected again.
struct BodyTrial {
  private let context: InspectionContext
  private let plain: Bytes
  private let body: Bytes
  private let coding: ContentCodingChoice
  private let content: Content

  init(_ laboratory: Laboratory, _ plain: Bytes, _ setup: Setup) {
    self.context = laboratory.context
    self.plain = plain
    self.coding = setup.coding
    self.body = setup.coding.encoded(plain)
    self.content = Content(direction: .request, fields: setup.fields)
  }

  func run(seed: UInt8) {
    let (findings, isIncomplete) = self.inspect(self.body, .whole)
    // Either is costly; the seed says which comes with this input.
    guard seed & 1 == 0 else {
      let (others, _) = self.inspect(self.body, .pieces(seed: seed))
      require(
        Set(others) == Set(findings),
        "in pieces other findings: \(others.shown), not \(findings.shown)"
      )
      return
    }
    // All, or one kind of several, as a rule may ask for.
    let kind = seed & 2 == 0 ? nil : findings.first?.kind
    self.check(findings.filter { kind == nil || $0.kind == kind }, isIncomplete)
  }

  private func inspect(_ body: Bytes, _ cut: Cut) -> ([Finding], isIncomplete: Bool) {
    guard let inspection = self.context.makeInspection(of: self.content) else {
      fail("a body that nobody looks at")
    }
    var findings: [Finding] = []
    for piece in cut.pieces(body) { inspection.receive(piece, &findings) }
    inspection.finish(&findings)
    return (findings, inspection.isIncomplete)
  }

  private func check(_ findings: [Finding], _ isIncomplete: Bool) {
    let result = self.context.redact(self.body, self.content, findings: findings)
    guard let result else {
      require(!findings.isEmpty || isIncomplete, "nothing to redact, and refused")
      return
    }
    require(result.changes.isEmpty == findings.isEmpty, "changes without findings, or none with")
    if findings.isEmpty {
      require(result.body == self.body, "changed without a finding")
      return
    }
    let after = self.coding.decoded(result.body)
    let (left, _) = self.inspect(result.body, .whole)
    let shown = "\(findings.shown) in \(self.plain.text.debugDescription)"
    let secrets = Set(findings.map(Secret.init))
    let told = left.filter { secrets.contains(Secret($0)) }
    require(
      told.isEmpty,
      "still there: \(told.shown) in \(after.text.debugDescription), of \(shown)"
    )
    for change in result.changes {
      require(
        change.range.lowerBound >= 0 && change.range.upperBound <= self.plain.count,
        "a change at \(change.range) of \(self.plain.count)"
      )
    }
    // What is odd, or escaped here and there, in a container that is closed again may come to be written
    // properly, and longer.
    let isPlain = self.plain.allSatisfy {
      ($0 >= 0x20 && $0 < 0x7F || $0 == 0x0A) && $0 != 0x25 && $0 != 0x26 && $0 != 0x5C
    }
    if case .none = self.coding, isPlain, findings.allSatisfy({ $0.encoding.isEmpty }) {
      require(
        after.count == self.plain.count,
        "\(after.count) bytes: \(after.text.debugDescription), of \(shown)"
      )
    }
    let again = self.context.redact(result.body, self.content, findings: [])
    require(again?.body == result.body, "redacted again, another body")
    self.checkJSON(after)
  }

  /// What another parser reads has the members that it had, and leaves of their types.
  private func checkJSON(_ after: Bytes) {
    guard self.plain.first == 0x7B || self.plain.first == 0x5B,
      let before = Self.json(self.plain)
    else { return }
    guard let after = Self.json(after) else {
      let was = self.plain.text.debugDescription
      fail("no JSON any more: \(after.text.debugDescription), was \(was)")
    }
    require(Self.shape(before) == Self.shape(after), "JSON of another shape")
  }

  private static func json(_ bytes: Bytes) -> Any? {
    do {
      return try JSONSerialization.jsonObject(with: Data(bytes.array))
    } catch {
      return nil
    }
  }

  private static func shape(_ value: Any) -> String {
    switch value {
    // Names may be values, and are replaced like them.
    case let object as [String: Any]:
      "{" + object.values.map { self.shape($0) }.sorted().joined(separator: ",") + "}"
    case let list as [Any]: "[" + list.map(self.shape).joined(separator: ",") + "]"
    case is String: "s"
    default: "n"
    }
  }
}
