import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

extension CAStore {
  /// What a rotation did.
  struct Rotation {
    let authority: CertificateAuthority
    /// The one that was in use.
    let previous: CACertificate
    /// The one that had been kept from an earlier rotation, and is not any more.
    let dropped: CACertificate?
  }

  /// Puts a new CA in the place of the one that is there, which is kept as the previous one.
  ///
  /// On disk it happens at one moment, that at which `next.crt` is there: before it there is nothing
  /// but a `next.key` to take away, and after it `settle` can be repeated until it is through.
  func rotate(asksForPassphrase: Bool) throws(CommandFailure) -> Rotation {
    try self.settle()
    let old = try self.certificate()
    let dropped =
      Self.isThere(self.certificatePath(.previous)) ? try self.certificate(.previous) : nil
    let passphrase = try self.passphraseOfBoth(asksForPassphrase)
    let (authority, key) = try self.make(passphrase)
    guard authority.publicPart.keySHA256 != old.keySHA256 else {
      throw CommandFailure(
        .usage,
        "\(self.certificatePath): the key that ca.pkcs11 names is this CA's already: make another in "
          + "the token, name it in ca.pkcs11, and rotate then"
      )
    }
    try self.locked { () throws(CommandFailure) in try self.put(authority, key) }
    return Rotation(authority: authority, previous: old, dropped: dropped)
  }

  /// The passphrase that both keys are to have after the rotation; the old one gets it now.
  private func passphraseOfBoth(_ asks: Bool) throws(CommandFailure) -> [UInt8]? {
    guard self.settings.pkcs11 == nil, Self.isThere(self.keyPath) else { return nil }
    let key = try self.keyBytes(.current)
    // The old key stays in its token, and the new one is a file: nothing to change about the old.
    guard !String(decoding: key.prefix(7), as: UTF8.self).hasPrefix("pkcs11:") else {
      return try self.secret.newPassphrase(asks: asks, for: self.keyPath)
    }
    let isEncrypted = CertificateAuthority.isEncrypted(keyPEM: key)
    let old = try self.load(isStrict: false)
    let passphrase =
      asks || self.settings.passphraseFile != nil || !isEncrypted
      ? try self.secret.newPassphrase(asks: asks, for: self.keyPath)
      : try self.secret.passphrase(of: self.keyPath)
    guard asks || (passphrase != nil && !isEncrypted) else { return passphrase }
    let sealed: [UInt8]
    do throws(TLSFailure) {
      sealed = try old.keyPEM(passphrase: passphrase)
    } catch {
      throw CommandFailure(.runtime, "\(self.keyPath): \(error.detail)")
    }
    try self.replace(self.keyPath, by: sealed)
    return passphrase
  }

  /// Makes a pair the current one, at one moment; to be called with the folder locked.
  func put(_ authority: CertificateAuthority, _ key: [UInt8]) throws(CommandFailure) {
    try self.replace(self.keyPath(.next), by: key)
    try self.replace(self.certificatePath(.next), by: authority.certificatePEM)
    try self.finishRotation()
  }

  /// Puts a folder right that others may enter, and brings a rotation to its end that was cut short,
  /// or takes away what it left.
  func settle() throws(CommandFailure) {
    do throws(FileFailure) {
      if Self.isThere(self.directory) { try SecretFile.makeFolder(self.directory) }
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
    guard
      Self.isThere(self.certificatePath(.next)) || Self.isThere(self.keyPath(.next))
    else { return }
    try self.locked { () throws(CommandFailure) in try self.finishRotation() }
  }

  /// Idempotent: each step leaves what the next call needs.
  private func finishRotation() throws(CommandFailure) {
    guard Self.isThere(self.certificatePath(.next)) else {
      // Without its certificate the new key was never in use.
      try SecretFolder.wipe(self.keyPath(.next))
      return
    }
    if Self.isThere(self.keyPath(.next)) {
      // Until the new key takes its place, `ca` is the old pair.
      try self.keepAsPrevious()
      try SecretFolder.rename(self.keyPath(.next), to: self.keyPath)
    }
    try SecretFolder.rename(self.certificatePath(.next), to: self.certificatePath)
    try SecretFolder.sync(self.directory)
  }

  private func keepAsPrevious() throws(CommandFailure) {
    let previous = self.keyPath(.previous)
    if Self.isThere(self.keyPath) {
      let key = try self.keyBytes(.current)
      if Self.isThere(previous), try self.keyBytes(.previous) != key {
        try SecretFolder.wipe(previous)
      }
      try self.replace(previous, by: key)
    } else {
      // A token's key of which only the configuration knew: it cannot be asked for any more.
      try SecretFolder.wipe(previous)
    }
    if Self.isThere(self.certificatePath) {
      let path = self.certificatePath
      let certificate = try TextFile.bytes(path, what: "the CA certificate", limit: 64 << 10)
      try self.replace(self.certificatePath(.previous), by: certificate)
    }
    try SecretFolder.sync(self.directory)
  }

  private func replace(_ path: String, by bytes: [UInt8]) throws(CommandFailure) {
    do throws(FileFailure) {
      try SecretFile.write(Bytes(bytes), to: path, replacing: true)
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
  }

  /// Does something that no other Tidewaiter may do to this folder at the same time.
  func locked<Value>(
    _ body: () throws(CommandFailure) -> Value
  ) throws(CommandFailure) -> Value {
    let folder = unsafe Glibc.open(self.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw SecretFolder.failure(self.directory, "open the folder") }
    defer { close(folder) }
    guard flock(folder, LOCK_EX) == 0 else {
      throw SecretFolder.failure(self.directory, "lock the folder")
    }
    return try body()
  }
}
