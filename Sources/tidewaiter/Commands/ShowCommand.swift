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

  /// How many messages of a WebSocket `--json` has; `socket_message_count` says of how many.
  private static let mostMessages = 10_000

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
      let detail = try reader.flow(id, socketMessages: self.json ? Self.mostMessages : 0)
      if let body = self.body {
        try self.write(body, of: detail, reader)
      } else if self.json {
        Terminal.print(String(decoding: detail.json, as: UTF8.self))
      } else {
        Terminal.write(try FlowText(detail, reader).text, to: .standardOutput)
        try reader.forEachSocketMessage(of: id) { message throws(EvidenceFailure) in
          Terminal.print(try SocketMessageRow(message, reader).text)
          return true
        }
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
    lines += HandshakeText(detail).lines.map { "tls          " + $0 }
    if let error = flow.error { lines.append("error        \(error.code): \(error.detail)") }
    for finding in detail.findings {
      lines.append(
        "finding      \(finding.kind) \(finding.certainty), \(finding.layers), \(finding.direction) "
          + "\(finding.location) \(finding.path)"
      )
    }
    for coverage in detail.coverage {
      let other = coverage.flow.flatMap { $0 == flow.flow ? nil : "  (\($0), same connection)" }
      lines.append(
        "coverage     \(coverage.kind.rawValue): \(coverage.detail.printable)" + (other ?? "")
      )
    }
    for value in detail.redactions {
      lines.append(
        "replaced     \(value.kind) in \(value.location) \(value.path.printable): "
          + value.pseudonym.printable
      )
    }
    for note in detail.notes { lines.append("note         \(note)") }
    for message in detail.messages {
      lines.append("")
      lines.append("── \(message.direction.rawValue), \(message.stage.rawValue) ──")
      lines.append(Self.fields(message.head))
      if let body = message.body {
        lines.append("body \(body.size) bytes, SHA-256 \(body.sha256)")
        // The bytes of a WebSocket are frames, most of them masked: its messages follow below.
        if body.size > 0, body.size <= 64 << 10, detail.socketMessageCount == 0 {
          let content = try reader.decodedBody(message)
          let isText = String(validating: content.array, as: UTF8.self) != nil
          lines.append(isText ? content.text.printable : "(not text)")
        }
      }
      if !message.trailers.isEmpty {
        lines.append("trailers")
        lines.append(Self.fields(message.trailers))
      }
    }
    if detail.socketMessageCount > 0 {
      lines.append("")
      lines.append("── \(detail.socketMessageCount) messages ──")
    }
    self.text = lines.joined(separator: "\n") + "\n"
  }

  private static func fields(_ section: Bytes) -> String {
    section.text.replacingOccurrences(of: "\r\n", with: "\n").printable
  }
}

/// A WebSocket message as a line for people.
struct SocketMessageRow {
  /// How many characters of the payload are shown.
  private static let most = 120

  let text: String

  init(_ message: SocketMessageRecord, _ reader: CaseReader) throws(EvidenceFailure) {
    var start = Bytes()
    if let digest = message.sha256 {
      // No character of UTF-8 has more than four bytes.
      start = try reader.start(ofBody: digest, count: 4 * Self.most)
    }
    var payload: String
    switch message.kind {
    case .text: payload = start.text
    case .close where start.count >= 2:
      // A code and a reason (RFC 6455 §5.5.1).
      payload = "\(Int(start[0]) << 8 | Int(start[1])) \(start.dropping(first: 2).text)"
    case .binary, .close, .ping, .pong:
      payload = String(
        start.map { (0x20..<0x7F).contains($0) ? Character(UnicodeScalar($0)) : "." }
      )
    }
    payload = String(payload.prefix(Self.most)).printable
      .replacingOccurrences(of: "\n", with: " ")
    self.text =
      [
        String(message.time.dropFirst(11).prefix(12)), message.direction == .request ? "→" : "←",
        message.kind.rawValue.padded(to: 6), String(message.size).padded(to: 8),
        payload + (message.stage == .sent ? "  (as sent on)" : ""),
      ].joined(separator: "  ")
  }
}

extension String {
  /// The text without the control characters that could steer a terminal.
  var printable: String {
    String(
      self.unicodeScalars.map {
        $0.value < 0x20 && $0 != "\n" && $0 != "\t" || $0.value == 0x7F
          || (0x80...0x9F).contains($0.value)
          ? "\u{FFFD}" : Character($0)
      }
    )
  }
}
