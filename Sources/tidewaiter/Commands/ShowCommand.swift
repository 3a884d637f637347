import ArgumentParser
import Foundation
import TideCore
import TideEvidence

/// `tidewaiter show`.
struct ShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Shows all that a case has of a flow, or one of its bodies."
  )

  /// The bodies that a flow can have.
  enum Side: String, CaseIterable, ExpressibleByArgument {
    case request
    case response
  }

  @OptionGroup var option: CaseOption
  @Argument(help: "The flow, f-000042.") var flow: String
  @Option(help: "Writes a body: request or response.") var body: Side?
  @Flag(help: "With --body: the bytes as they were on the wire, without decoding.") var raw = false
  @Flag(help: "With --body: what was sent on, where redaction changed it.") var sent = false
  @Flag(help: "One JSON object.") var json = false

  func run() throws {
    let reader = try self.option.reader()
    let id = try CaseOption.flow(self.flow)
    do throws(EvidenceFailure) {
      let detail = try reader.flow(id)
      if let body = self.body {
        try self.write(body, of: detail, reader)
      } else if self.json {
        Terminal.print(String(decoding: detail.json, as: UTF8.self))
      } else {
        Terminal.write(try FlowText(detail, reader).text, to: .standardOutput)
      }
    } catch {
      throw CommandFailure(error)
    }
  }

  private func write(
    _ side: Side,
    of detail: FlowDetail,
    _ reader: CaseReader
  ) throws(EvidenceFailure) {
    let stage: BodyStage = self.sent ? .sent : .original
    let direction: Direction = side == .request ? .request : .response
    guard let message = detail.message(direction, stage), let body = message.body else {
      throw EvidenceFailure(.notFound, detail: "\(self.flow): the case has no such body")
    }
    if self.raw {
      try reader.forEachPiece(ofBody: body.sha256) { piece in Self.write(piece) }
    } else {
      Self.write(try reader.decodedBody(message))
    }
  }

  private static func write(_ bytes: Bytes) {
    // A reader that went away (`| head`) is no failure of the command.
    try? FileHandle.standardOutput.write(contentsOf: Data(bytes.array))
  }
}

/// A flow for people.
struct FlowText {
  let text: String

  init(_ detail: FlowDetail, _ reader: CaseReader) throws(EvidenceFailure) {
    let flow = detail.record
    var lines = [
      "\(flow.flow)  \(flow.method) \(flow.url)",
      "device       \(flow.device) (\(flow.client))",
      "started      \(flow.started)" + (flow.ended.map { "   ended \($0)" } ?? "   still open"),
      "destination  \(flow.address ?? "not dialled")  region \(flow.region)",
      "candidates   "
        + flow.candidates.map { "\($0.address) \($0.region)" }.joined(separator: ", "),
      "treatment    \(flow.treatment)   status \(flow.status.map(String.init) ?? "-")",
      "verdict      decided \(flow.decided ?? "-"), applied \(flow.applied ?? "-")"
        + (flow.rule.map { ", rule \($0)" } ?? "")
        + (flow.exposure.map { ", exposure \($0) bytes" } ?? ""),
    ]
    if let error = flow.error { lines.append("error        \(error.code): \(error.detail)") }
    for finding in detail.findings {
      lines.append(
        "finding      \(finding.kind) \(finding.certainty), \(finding.layers), \(finding.direction) "
          + "\(finding.location) \(finding.path)"
      )
    }
    for note in detail.notes { lines.append("note         \(note)") }
    for message in detail.messages {
      lines.append("")
      lines.append("── \(message.direction.rawValue), \(message.stage.rawValue) ──")
      lines.append(Self.printable(message.head.text.replacingOccurrences(of: "\r\n", with: "\n")))
      guard let body = message.body else { continue }
      lines.append("body \(body.size) bytes, SHA-256 \(body.sha256)")
      guard body.size > 0, body.size <= 64 << 10 else { continue }
      let content = try reader.decodedBody(message)
      let isText = String(validating: content.array, as: UTF8.self) != nil
      lines.append(isText ? Self.printable(content.text) : "(not text)")
    }
    self.text = lines.joined(separator: "\n") + "\n"
  }

  /// Text without the control characters that could steer a terminal.
  private static func printable(_ text: String) -> String {
    String(
      text.unicodeScalars.map {
        $0.value < 0x20 && $0 != "\n" && $0 != "\t" || $0.value == 0x7F
          || (0x80...0x9F).contains($0.value)
          ? "\u{FFFD}" : Character($0)
      }
    )
  }
}
