import ArgumentParser
import Foundation
import TideControl
import TideCore
import TideTLS

/// `tidewaiter ca`: the interception authority.
struct CACommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca",
    abstract: "The interception CA of this installation.",
    subcommands: [Init.self, Status.self, Export.self]
  )

  /// `ca init`.
  struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes the CA; refuses to replace one that is there."
    )

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
      let configuration = try self.options.load()
      let store = CAStore(configuration)
      guard !store.exists else {
        throw CommandFailure(
          .problem,
          "\(store.directory): a CA is there already; `tidewaiter ca status` shows it"
        )
      }
      let authority = try store.create(configuration)
      Terminal.print(CAReport(authority, store).text)
    }
  }

  /// `ca status`.
  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the CA.")

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let store = CAStore(try self.options.load())
      guard store.exists else {
        throw CommandFailure(
          .problem,
          "\(store.directory): there is no CA yet; `tidewaiter ca init` makes one"
        )
      }
      let report = CAReport(try store.load(), store)
      Terminal.print(try self.json ? JSONText.encode(report) : report.text)
      if report.daysLeft <= 0 {
        throw CommandFailure(.problem, "\(store.certificatePath): the CA is expired")
      }
    }
  }

  /// `ca export`.
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the CA's certificate, never its key, for a device."
    )

    /// The forms that devices take.
    enum Format: String, CaseIterable, ExpressibleByArgument {
      case pem
      case der
      case p12
      case mobileconfig
      case android
    }

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "pem, der, p12, mobileconfig or android (DER, named by its subject hash).")
    var format = Format.pem
    @Option(name: [.customShort("o"), .long], help: "The file; standard output if left out.")
    var output: String?

    func run() throws {
      let store = CAStore(try self.options.load())
      guard store.exists else {
        throw CommandFailure(
          .usage,
          "\(store.directory): there is no CA yet; `tidewaiter ca init` makes one"
        )
      }
      let authority = try store.load()
      let certificate = AuthorityCertificate(
        der: Bytes(authority.certificateDER),
        fingerprint: Bytes(authority.fingerprintSHA256)
      )
      let bytes: [UInt8]
      switch self.format {
      case .pem, .android: bytes = authority.certificatePEM
      case .der: bytes = authority.certificateDER
      case .mobileconfig: bytes = certificate.mobileProfile.array
      case .p12:
        do throws(TLSFailure) {
          bytes = try authority.pkcs12(password: "")
        } catch {
          throw CommandFailure(.runtime, "cannot make a PKCS #12 file: \(error.detail)")
        }
      }
      guard let output = self.output else {
        FileHandle.standardOutput.write(Data(bytes))
        return
      }
      do {
        try Data(bytes).write(to: URL(fileURLWithPath: output))
      } catch {
        throw CommandFailure(.runtime, "\(output): \(error.localizedDescription)")
      }
    }
  }
}

/// What there is to say of the CA.
struct CAReport: Encodable {
  let subject: String
  let fingerprint: String
  let notBefore: String
  let notAfter: String
  let daysLeft: Int
  let key: String
  let certificate: String

  init(_ authority: CertificateAuthority, _ store: CAStore) {
    self.subject = authority.subject
    self.fingerprint =
      authority.fingerprintSHA256.map { ASCII.hex([$0]).uppercased() }.joined(separator: ":")
    self.notBefore = authority.notBefore.rfc3339
    self.notAfter = authority.notAfter.rfc3339
    self.daysLeft = Int((authority.notAfter.seconds - CAStore.now().seconds) / 86_400)
    self.key = authority.keyDescription
    self.certificate = store.certificatePath
  }

  var text: String {
    """
    subject      \(self.subject)
    SHA-256      \(self.fingerprint)
    valid        \(self.notBefore.prefix(10)) to \(self.notAfter.prefix(10)), \(self.daysLeft) days left
    key          \(self.key)
    certificate  \(self.certificate)
    """
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
