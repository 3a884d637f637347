import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

extension CAStore {
  /// The certificate of a pair, without its key.
  func certificate(_ pair: Pair = .current) throws(CommandFailure) -> CACertificate {
    let path = self.certificatePath(pair)
    let pem = try TextFile.bytes(path, what: "the CA certificate", limit: 64 << 10)
    do throws(TLSFailure) {
      return try CACertificate(pem: pem)
    } catch {
      throw CommandFailure(.usage, "\(path): \(error.detail)")
    }
  }

  /// The certificate of the CA before the rotation, if there is one that has not ended.
  func previousCertificate() throws(CommandFailure) -> CACertificate? {
    guard Self.isThere(self.certificatePath(.previous)) else { return nil }
    let certificate = try self.certificate(.previous)
    return certificate.notAfter > Self.now() ? certificate : nil
  }

  /// Reads a pair that is there; strictly, a key that lies open although `ca.passphrase_file` is set
  /// is refused.
  func load(
    _ pair: Pair = .current,
    isStrict: Bool = true
  ) throws(CommandFailure)
    -> CertificateAuthority
  {
    let path = self.certificatePath(pair)
    if pair == .current, Self.isThere(self.keyPath), !Self.isThere(path),
      self.settings.pkcs11 == nil
    {
      throw CommandFailure(.usage, "\(path): missing, but its key is there: \(self.keyPath)")
    }
    if !Self.isThere(self.keyPath(pair)), self.caseName != nil {
      throw CommandFailure(
        .usage,
        "\(self.keyPath(pair)): the key of this case's CA is gone, as it is when a case is sealed"
      )
    }
    let pem = try TextFile.bytes(path, what: "the CA certificate", limit: 64 << 10)
    if let token = try self.token(of: pair) { return try self.load(pem, path, token) }
    let key = try self.keyBytes(pair)
    let isEncrypted = CertificateAuthority.isEncrypted(keyPEM: key)
    if !isEncrypted, isStrict, let file = self.settings.passphraseFile {
      throw CommandFailure(
        .usage,
        "\(self.keyPath(pair)): the key is not encrypted, although ca.passphrase_file is set: "
          + "`tidewaiter ca rotate\(self.caseWords)` makes one that is; or encrypt this one by "
          + "`openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -passout file:\(file)`"
      )
    }
    let passphrase = isEncrypted ? try self.secret.passphrase(of: self.keyPath(pair)) : nil
    do throws(TLSFailure) {
      return try CertificateAuthority(certificatePEM: pem, keyPEM: key, passphrase: passphrase)
    } catch {
      throw CommandFailure(.usage, "\(path) and \(self.keyPath(pair)): \(error.detail)")
    }
  }

  private func load(
    _ pem: [UInt8],
    _ path: String,
    _ token: TokenURI
  ) throws(CommandFailure) -> CertificateAuthority {
    let pin = try self.secret.pin(of: token)
    do throws(TLSFailure) {
      return try CertificateAuthority(certificatePEM: pem, token: token, pin: pin)
    } catch {
      throw CommandFailure(
        .usage,
        "\(path) and \(token.bare): \(error.detail)"
          + (error == CertificateAuthority.keyMismatch
            ? "; if this key is to be the CA's from now on, run `tidewaiter ca rotate`" : "")
      )
    }
  }

  /// Where a pair's key is, if it is in a token.
  func token(of pair: Pair) throws(CommandFailure) -> TokenURI? {
    if pair == .current, let text = self.settings.pkcs11 { return try Self.token(text) }
    let path = self.keyPath(pair)
    let key = try self.keyBytes(pair)
    let text = String(decoding: key, as: UTF8.self)
    guard text.hasPrefix("pkcs11:") else { return nil }
    guard pair == .current else {
      return try Self.token(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    throw CommandFailure(
      .usage,
      "\(path): the key of this CA is in a token, so ca.pkcs11 has to name it: "
        + text.trimmingCharacters(in: .whitespacesAndNewlines)
    )
  }

  static func token(_ text: String) throws(CommandFailure) -> TokenURI {
    guard let uri = TokenURI(text) else {
      throw CommandFailure(
        .usage,
        "ca.pkcs11: \(text.prefix(64)) is not the URI of a private key, such as "
          + "pkcs11:token=audit;object=ca?pin-source=file:PATH"
      )
    }
    return uri
  }

  /// What is in a pair's key file.
  func keyBytes(_ pair: Pair) throws(CommandFailure) -> [UInt8] {
    do throws(FileFailure) {
      return try SecretFile.read(self.keyPath(pair), holding: "CA key").array
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  /// Makes a new pair, if asked for with a passphrase that is typed in; never over one that is there.
  func create(asksForPassphrase: Bool = false) throws(CommandFailure) -> CertificateAuthority {
    let passphrase = try self.secret.newPassphrase(asks: asksForPassphrase, for: self.keyPath)
    let (authority, key) = try self.make(passphrase)
    do throws(FileFailure) {
      if self.caseName != nil { try SecretFile.makeFolder(self.root) }
      try SecretFile.makeFolder(self.directory)
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
    try self.locked { () throws(CommandFailure) in
      guard !self.exists else {
        throw CommandFailure(
          .problem,
          "\(self.directory): another Tidewaiter has just made a CA here"
        )
      }
      try self.put(authority, key)
    }
    return authority
  }

  /// Makes a CA by the configuration, and what its key file is to hold.
  func make(_ passphrase: [UInt8]?) throws(CommandFailure) -> (CertificateAuthority, key: [UInt8]) {
    let lifetime = self.settings.lifetime.components.seconds
    if let text = self.settings.pkcs11 {
      let token = try Self.token(text)
      let pin = try self.secret.pin(of: token)
      do throws(TLSFailure) {
        let authority = try CertificateAuthority.generate(
          token: token,
          pin: pin,
          lifetimeSeconds: lifetime,
          at: Self.now(),
          permitting: self.permitted
        )
        return (authority, Array((token.withoutPIN + "\n").utf8))
      } catch {
        throw CommandFailure(
          .usage,
          "cannot make a CA with the key in the token: \(error.detail). Tidewaiter makes no key in a "
            + "token; this does: pkcs11-tool --module MODULE.so --token-label TOKEN --login "
            + "--keypairgen --key-type EC:prime256v1 --usage-sign --label OBJECT --id 01"
        )
      }
    }
    do throws(TLSFailure) {
      let authority = try CertificateAuthority.generate(
        key: self.settings.key == .p256 ? .p256 : .rsa2048,
        lifetimeSeconds: lifetime,
        at: Self.now(),
        permitting: self.permitted
      )
      return (authority, try authority.keyPEM(passphrase: passphrase))
    } catch {
      throw CommandFailure(.runtime, "cannot make a CA: \(error.detail)")
    }
  }
}
