import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

/// `tidewaiter ca`: the interception authority.
struct CACommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca",
    abstract: "The interception CA of this installation, or of a case.",
    subcommands: [Init.self, Status.self, Export.self, Rotate.self, Destroy.self]
  )

  /// `ca init`.
  struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes the CA; refuses to replace one that is there."
    )

    @OptionGroup var options: CAOptions
    @Flag(help: "Ask for a passphrase on the terminal and encrypt the key under it.")
    var passphrase = false

    func run() throws {
      let store = try self.options.store(needsCase: true)
      try store.settle()
      guard !store.exists else {
        throw CommandFailure(
          .problem,
          "\(store.directory): a CA is there already; `tidewaiter ca status` shows it"
        )
      }
      _ = try store.create(asksForPassphrase: self.passphrase)
      Terminal.print(try CAReport(store).text)
    }
  }

  /// `ca status`.
  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows the CA, and the one before it until that ends."
    )

    @OptionGroup var options: CAOptions
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let store = try self.options.store()
      try store.settle()
      guard store.exists else {
        throw CommandFailure(
          .problem,
          "\(store.directory): there is no CA yet; `tidewaiter ca init` makes one"
        )
      }
      let report = try CAReport(store)
      Terminal.print(try self.json ? JSONText.encode(report) : report.text)
      if report.current.daysLeft <= 0, report.current.isExpired {
        throw CommandFailure(
          .problem,
          "\(store.certificatePath): the CA is expired; `tidewaiter ca rotate\(store.caseWords)` "
            + "makes a new one"
        )
      }
    }
  }
}

/// The options of all `ca` commands.
struct CAOptions: ParsableArguments {
  @OptionGroup var configuration: ConfigurationOptions
  @Option(
    name: .customLong("case"),
    help: "With ca.per_case, the case whose CA is meant; the newest if left out."
  )
  var caseName: String?

  /// The store that is meant; with `needsCase` the case has to be named, if each has its own.
  func store(needsCase: Bool = false) throws -> CAStore {
    let configuration = try self.configuration.load()
    guard configuration.ca.isPerCase else {
      if self.caseName != nil {
        throw CommandFailure(
          .usage,
          "--case: there is one CA for all cases: ca.per_case is not set"
        )
      }
      return CAStore(configuration)
    }
    if let caseName {
      let isLegal = caseName.utf8.allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
          || byte == 0x2D || byte == 0x2E || byte == 0x5F
      }
      guard isLegal, (1...100).contains(caseName.utf8.count), !caseName.hasPrefix(".") else {
        throw CommandFailure(.usage, "--case \(caseName): not the name of a case")
      }
      return CAStore(configuration, caseName: caseName)
    }
    guard !needsCase else {
      throw CommandFailure(
        .usage,
        "ca.per_case is set: a case's CA is made when the case is opened; --case NAME means one"
      )
    }
    let all = CAStore(configuration)
    return all.cases.last.map { CAStore(configuration, caseName: $0) } ?? all
  }
}

/// JSON for `--json`.
enum JSONText {
  static func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
