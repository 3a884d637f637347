import ArgumentParser
import Foundation
import TideCore
import TideEvidence

/// `tidewaiter flows`.
struct FlowsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flows",
    abstract: "Lists the flows of a case.",
    discussion: "FILTER is words such as region:CN finding:imei -host:*.example since:10m."
  )

  @OptionGroup var option: CaseOption
  @Argument(help: "Words that narrow the list.")
  var filter: [String] = []
  @OptionGroup var limit: LimitOption
  @Flag(help: "One JSON object a line.") var json = false
  @Flag(help: "Goes on with flows as they end.") var follow = false

  mutating func run() async throws {
    let reader = try self.option.reader()
    let filter = try CaseOption.filter(self.filter, reader)
    guard self.follow else {
      do throws(EvidenceFailure) {
        try self.limit.show { (newestFirst, take) throws(EvidenceFailure) in
          try reader.forEachFlow(filter, newestFirst: newestFirst) { flow throws(EvidenceFailure) in
            take(self.json ? String(decoding: flow.json, as: UTF8.self) : FlowRow(flow).text)
          }
        }
        // Beside the rows, which others may read: what no row can show.
        for coverage in self.json ? [] : try reader.coverage() {
          Terminal.error(
            "coverage of the whole case: \(coverage.kind.rawValue) on \(coverage.count) "
              + (coverage.count == 1 ? "connection: " : "connections: ") + coverage.kind.words
          )
        }
      } catch {
        throw CommandFailure(error)
      }
      return
    }
    var following = FollowedFlows()
    while true {
      do throws(EvidenceFailure) {
        // What a filter asks for may only be known at a flow's end.
        for flow in try following.ended(in: reader) where try reader.shows(flow, filter) {
          self.show(flow)
        }
      } catch {
        throw CommandFailure(error)
      }
      try await Task.sleep(for: .milliseconds(500))
    }
  }

  private func show(_ flow: FlowRecord) {
    Terminal.print(self.json ? String(decoding: flow.json, as: UTF8.self) : FlowRow(flow).text)
  }
}

/// A flow as a line for people.
struct FlowRow {
  let text: String

  init(_ flow: FlowRecord) {
    let time = flow.started.dropFirst(11).prefix(8)
    let decided = flow.decided ?? "-"
    let applied = flow.applied ?? "-"
    let verdict = decided == applied ? decided : "\(decided)>\(applied)"
    let status = flow.status.map { $0 == 0 ? "-" : String($0) } ?? "open"
    let findings = flow.findings == 0 ? "" : "  \(Self.kinds(flow))"
    let error = flow.error.map { "  \($0.code): \($0.detail)" } ?? ""
    self.text =
      [
        "\(flow.flow)", String(time), flow.device.padded(to: 10), flow.region.padded(to: 7),
        flow.treatment.padded(to: 11), status.padded(to: 4), verdict.padded(to: 10),
        "\(flow.method) \(flow.url)\(findings)\(error)",
      ].joined(separator: "  ")
  }

  private static func kinds(_ flow: FlowRecord) -> String {
    var counts: [String: Int] = [:]
    for tag in flow.tags { counts[tag.kind, default: 0] += tag.count }
    let kinds = counts.sorted { $0.key < $1.key }.map { kind, count in
      count == 1 ? kind : "\(kind)x\(count)"
    }
    return kinds.joined(separator: ",")
  }
}

/// `tidewaiter findings`.
struct FindingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "findings",
    abstract: "Lists the findings of a case.",
    discussion: "FILTER is words such as region:CN finding:imei certainty:certain."
  )

  @OptionGroup var option: CaseOption
  @Argument(help: "Words that narrow the list.")
  var filter: [String] = []
  @OptionGroup var limit: LimitOption
  @Flag(help: "One JSON object a line.") var json = false

  func run() throws {
    let reader = try self.option.reader()
    let filter = try CaseOption.filter(self.filter, reader)
    do throws(EvidenceFailure) {
      try self.limit.show { (newestFirst, take) throws(EvidenceFailure) in
        try reader.forEachFinding(filter, newestFirst: newestFirst) {
          finding,
          flow throws(EvidenceFailure) in
          take(
            self.json
              ? String(decoding: finding.json, as: UTF8.self) : Self.row(of: finding, in: flow)
          )
        }
      }
    } catch {
      throw CommandFailure(error)
    }
  }

  private static func row(of finding: FindingRecord, in flow: FlowRecord) -> String {
    let place = finding.path.isEmpty ? finding.location : "\(finding.location) \(finding.path)"
    return [
      "\(finding.flow)", String(finding.time.dropFirst(11).prefix(8)), flow.device.padded(to: 10),
      flow.region.padded(to: 7), finding.kind.padded(to: 13), finding.certainty.padded(to: 8),
      finding.layers.padded(to: 22), place.padded(to: 24),
      "\(finding.decided)>\(finding.applied)".padded(to: 10), flow.url,
    ].joined(separator: "  ")
  }
}

/// How many rows a list has.
struct LimitOption: ParsableArguments {
  /// What a person looks through.
  private static let onTerminal = 500

  @Option(
    help: "The newest N of those that match; 0 for all. 500 on a terminal, elsewhere all."
  )
  var limit: Int?

  func validate() throws {
    guard self.limit ?? 0 >= 0 else { throw ValidationError("--limit is a number of rows, or 0") }
  }

  /// Prints rows in order, the newest if there are more than wanted.
  ///
  /// - Parameter list: gives rows, newest first or in order, until its closure returns false.
  /// - Throws: what `list` does.
  func show(
    _ list: (_ newestFirst: Bool, _ take: (String) -> Bool) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    let limit = self.limit ?? (isatty(STDOUT_FILENO) == 1 ? Self.onTerminal : 0)
    guard limit > 0 else {
      return try list(false) { row in
        Terminal.print(row)
        return true
      }
    }
    var rows: [String] = []
    try list(true) { row in
      rows.append(row)
      return rows.count <= limit
    }
    for row in rows.prefix(limit).reversed() { Terminal.print(row) }
    guard rows.count > limit else { return }
    Terminal.error(
      "the newest \(limit) of more: narrow the filter, or ask for others with --limit"
    )
  }
}

extension FindingRecord {
  /// The layers around the value as a formula: `cut16(base64url(sha1))`.
  var layers: String {
    guard let innermost = self.encoding.last else { return "plain" }
    return self.encoding.dropLast().map { $0 + "(" }.joined() + innermost
      + String(repeating: ")", count: self.encoding.count - 1)
  }
}
