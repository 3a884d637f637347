import ArgumentParser
import Foundation
import TideConfig
import TideEvidence

extension EvidenceCommand {
  /// `evidence seal`.
  struct Seal: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Seals a case that was not sealed when its recording ended."
    )

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var key: CaseKeyOption
    @Argument(help: "The case's name or path.") var name: String

    func run() throws {
      let configuration = try self.options.load()
      let path = try CaseOption.path(self.name, configuration)
      do throws(EvidenceFailure) {
        try CaseSealer.seal(
          path,
          key: try CaseFolder.signingKey(in: configuration.caseFolder.directory),
          caseKey: try self.key.key(of: path, configuration),
          at: CAStore.now()
        )
      } catch {
        // Whoever sealed it may have been killed before the key was destroyed.
        if error.code == .sealed { try Self.destroyKeys(of: path, configuration) }
        throw CommandFailure(error)
      }
      try Self.destroyKeys(of: path, configuration)
      Terminal.print("sealed \(path)")
      for line in CaseTimestamps.sealed(path, configuration) { Terminal.print(line) }
    }

    /// Destroys the keys of the CA that a case in `case.dir` has to itself, as a run does that ends.
    ///
    /// A case elsewhere may bear the name of one of ours whose CA is in use.
    private static func destroyKeys(
      of path: String,
      _ configuration: Configuration
    ) throws(CommandFailure) {
      let name = (path as NSString).lastPathComponent
      let own = "\(configuration.caseFolder.directory)/\(name)"
      guard Self.isSame(path, own) else { return }
      try CAStore(configuration, caseName: name).destroyKeys()
    }

    /// Whether two paths lead to one folder.
    private static func isSame(_ a: String, _ b: String) -> Bool {
      var (first, second) = (stat(), stat())
      guard unsafe stat(a, &first) == 0, unsafe stat(b, &second) == 0 else { return false }
      return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }
  }
}
