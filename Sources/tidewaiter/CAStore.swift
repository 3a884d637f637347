import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

/// The interception authority's two files in `ca.dir`: `ca.crt` and `ca.key` (0600 in a 0700 folder).
struct CAStore {
  let directory: String

  init(_ configuration: Configuration) { self.directory = configuration.ca.directory }

  var certificatePath: String { self.directory + "/ca.crt" }
  var keyPath: String { self.directory + "/ca.key" }

  /// Whether any of the two files is there.
  var exists: Bool {
    FileManager.default.fileExists(atPath: self.certificatePath)
      || FileManager.default.fileExists(atPath: self.keyPath)
  }

  /// Reads the pair that is there.
  func load() throws(CommandFailure) -> CertificateAuthority {
    let key: Bytes
    do throws(FileFailure) {
      key = try SecretFile.read(self.keyPath, holding: "CA key")
    } catch {
      throw CommandFailure(.usage, error.description)
    }
    let certificate = try TextFile.bytes(
      self.certificatePath,
      what: "the CA certificate",
      limit: 64 << 10
    )
    do throws(TLSFailure) {
      return try CertificateAuthority(certificatePEM: certificate, keyPEM: key.array)
    } catch {
      throw CommandFailure(
        .usage,
        "\(self.certificatePath) and \(self.keyPath): \(error.detail)"
      )
    }
  }

  /// Makes a new pair; never over one that is there.
  func create(_ configuration: Configuration) throws(CommandFailure) -> CertificateAuthority {
    let authority: CertificateAuthority
    let key: [UInt8]
    do throws(TLSFailure) {
      authority = try CertificateAuthority.generate(
        key: configuration.ca.key == .p256 ? .p256 : .rsa2048,
        lifetimeSeconds: configuration.ca.lifetime.components.seconds,
        at: CAStore.now()
      )
      key = try authority.keyPEM()
    } catch {
      throw CommandFailure(.runtime, "cannot make a CA: \(error.detail)")
    }
    do throws(FileFailure) {
      try SecretFile.makeFolder(self.directory)
      try SecretFile.write(Bytes(key), to: self.keyPath)
      try SecretFile.write(Bytes(authority.certificatePEM), to: self.certificatePath)
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
    return authority
  }

  /// The pair that is there, or a new one; an expired one is refused.
  func loadOrCreate(
    _ configuration: Configuration
  ) throws(CommandFailure) -> (CertificateAuthority, isNew: Bool) {
    guard self.exists else { return (try self.create(configuration), true) }
    let authority = try self.load()
    guard authority.notAfter > CAStore.now() else {
      throw CommandFailure(
        .usage,
        "\(self.certificatePath): the CA expired on \(authority.notAfter.rfc3339.prefix(10)); "
          + "move both files away and run `tidewaiter ca init`, then install the new CA on the "
          + "devices"
      )
    }
    return (authority, false)
  }

  static func now() -> WallTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}
