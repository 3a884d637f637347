import ArgumentParser
import Foundation
import TideControl
import TideCore
import TideTLS

extension CACommand {
  /// `ca export`.
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the CA's certificate, never its key, for a device.",
      discussion: """
        After a rotation pem and mobileconfig hold the new certificate and the one before it, until \
        that one ends; der, p12 and android hold the new one.
        """
    )

    /// The forms that devices take.
    enum Format: String, CaseIterable, ExpressibleByArgument {
      case pem
      case der
      case p12
      case mobileconfig
      case android
    }

    @OptionGroup var options: CAOptions
    @Option(
      help: """
        pem, der, p12, mobileconfig, or android: PEM for the system store, with --output FOLDER named \
        by its subject hash.
        """
    )
    var format = Format.pem
    @Option(name: [.customShort("o"), .long], help: "The file; standard output if left out.")
    var output: String?

    func run() throws {
      let store = try self.options.store()
      try store.settle()
      guard store.exists else {
        throw CommandFailure(
          .usage,
          "\(store.directory): there is no CA yet; `tidewaiter ca init` makes one"
        )
      }
      let certificate = try store.certificate()
      let previous = try store.previousCertificate()
      let bytes: [UInt8]
      switch self.format {
      case .pem: bytes = certificate.pem + (previous?.pem ?? [])
      case .mobileconfig:
        bytes =
          AuthorityCertificate.mobileProfile(
            of: [certificate.forDevices] + (previous.map { [$0.forDevices] } ?? [])
          ).array
      case .der: bytes = certificate.der
      case .p12: bytes = try Self.pkcs12(certificate)
      case .android: return try self.writeForAndroid(certificate, previous, store)
      }
      try Self.write(bytes, to: self.output)
      if self.format == .der || self.format == .p12, let previous {
        Self.tellOf(previous, store)
      }
    }

    private static func pkcs12(_ certificate: CACertificate) throws -> [UInt8] {
      do throws(TLSFailure) {
        return try certificate.pkcs12(password: "")
      } catch {
        throw CommandFailure(.runtime, "cannot make a PKCS #12 file: \(error.detail)")
      }
    }

    /// Android's system store wants one PEM file for each, named by the hash of the subject.
    private func writeForAndroid(
      _ certificate: CACertificate,
      _ previous: CACertificate?,
      _ store: CAStore
    ) throws {
      let name = certificate.androidName + ".0"
      var isFolder: ObjCBool = false
      let isThere = self.output.map {
        unsafe FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder)
      }
      if let folder = self.output, isThere == true, isFolder.boolValue {
        for one in [certificate] + (previous.map { [$0] } ?? []) {
          let path = "\(folder)/\(one.androidName).0"
          try Self.write(one.pem, to: path)
          Terminal.error("wrote \(path)")
        }
        return
      }
      try Self.write(certificate.pem, to: self.output)
      Terminal.error("in Android's system store the file's name is \(name)")
      if let previous { Self.tellOf(previous, store) }
    }

    private static func tellOf(_ previous: CACertificate, _ store: CAStore) {
      Terminal.error(
        "not in it: the CA before the rotation, valid to \(previous.notAfter.rfc3339.prefix(10)), "
          + store.certificatePath(.previous)
      )
    }

    private static func write(_ bytes: [UInt8], to path: String?) throws {
      guard let path else {
        FileHandle.standardOutput.write(Data(bytes))
        return
      }
      do {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
      } catch {
        throw CommandFailure(.runtime, "\(path): \(error.localizedDescription)")
      }
    }
  }
}
