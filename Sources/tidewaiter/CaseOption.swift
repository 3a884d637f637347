import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEvidence

/// Which case a command is about.
struct CaseOption: ParsableArguments {
  @OptionGroup var options: ConfigurationOptions
  @Option(
    name: .customLong("case"),
    help: "The case: its name in case.dir, or its path; the newest if left out."
  )
  var name: String?
  @OptionGroup var key: CaseKeyOption

  /// Opens the case for reading.
  func reader() throws -> CaseReader {
    let configuration = try self.options.load()
    let path = try Self.path(self.name, configuration)
    do throws(EvidenceFailure) {
      return try CaseReader(path, key: try self.key.key(of: path, configuration))
    } catch {
      throw CommandFailure(error)
    }
  }

  /// The path of the case called `name`, or of the newest.
  static func path(_ name: String?, _ configuration: Configuration) throws(CommandFailure) -> String
  {
    let folder = configuration.caseFolder.directory
    if let name {
      let candidates = name.contains("/") ? [name] : ["\(folder)/\(name)", name]
      if let path = candidates.first(where: { Self.started($0) != nil }) { return path }
      throw CommandFailure(.usage, "\(candidates[0]): there is no case here")
    }
    let names: [String]
    do throws(EvidenceFailure) {
      names = try CaseFolder.names(in: folder)
    } catch {
      throw CommandFailure(.usage, "\(folder): no case yet; `tidewaiter run` makes one")
    }
    let newest = names.map { "\(folder)/\($0)" }
      .compactMap { path in Self.started(path).map { (path, $0) } }
      .max { ($0.1, $0.0) < ($1.1, $1.0) }
    guard let newest else {
      throw CommandFailure(.usage, "\(folder): no case yet; `tidewaiter run` makes one")
    }
    return newest.0
  }

  /// When the case was made; nil if there is none.
  private static func started(_ path: String) -> Date? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/case.json")
    return attributes?[.modificationDate] as? Date
  }

  /// Reads the words of a filter.
  static func filter(_ words: [String], _ reader: CaseReader) throws(CommandFailure) -> FlowFilter {
    do throws(EvidenceFailure) {
      let words = words.flatMap { $0.split(separator: " ").map { FilterWords.bare(String($0)) } }
      return try FlowFilter.parse(words, at: CAStore.now(), watched: try reader.watched)
    } catch {
      throw CommandFailure(error)
    }
  }

  /// Reads a flow's name.
  static func flow(_ text: String) throws(CommandFailure) -> FlowID {
    guard let flow = FlowID(text: text) else {
      throw CommandFailure(.usage, "\(text): not a flow, such as f-000042")
    }
    return flow
  }
}

/// Words such as `-host:*.example`, which a parser of options would take for options.
enum FilterWords {
  private static let shield: Character = "!"

  /// The arguments with each excluding word made one that no option looks like.
  static func shielded(_ arguments: some Sequence<String>) -> [String] {
    arguments.map { argument in
      guard argument.hasPrefix("-"), !argument.hasPrefix("--"), argument.contains(":") else {
        return argument
      }
      return String(Self.shield) + argument.dropFirst()
    }
  }

  /// The word as it was typed.
  static func bare(_ word: String) -> String {
    word.first == Self.shield ? "-" + word.dropFirst() : word
  }
}

extension CommandFailure {
  /// What a failure of a case means for a command.
  init(_ failure: EvidenceFailure) {
    switch failure.code {
    case .notACase, .badName, .badFilter, .sealed, .inUse, .locked, .wrongKey, .badKey:
      self.init(.usage, failure.detail)
    case .malformed, .notFound: self.init(.problem, failure.detail)
    case .full, .io, .crypto, .index: self.init(.runtime, failure.detail)
    }
  }
}
