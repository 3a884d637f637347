internal import Foundation
public import TideCore

/// The certificate of our authority, in the forms in which devices install it.
public struct AuthorityCertificate: Sendable {
  /// The certificate, DER.
  public let der: Bytes
  /// SHA-256 of the DER: 32 bytes.
  public let fingerprint: Bytes

  /// Joins a certificate and its fingerprint.
  ///
  /// - Parameters:
  ///   - der: the certificate.
  ///   - fingerprint: SHA-256 of `der`; 32 bytes.
  public init(der: Bytes, fingerprint: Bytes) {
    precondition(fingerprint.count == 32, "a SHA-256 fingerprint has 32 bytes")
    self.der = der
    self.fingerprint = fingerprint
  }

  /// The certificate, PEM (RFC 7468).
  public var pem: Bytes {
    Bytes(
      "-----BEGIN CERTIFICATE-----\n" + Self.base64(self.der, columns: 64)
        + "\n-----END CERTIFICATE-----\n"
    )
  }

  /// The fingerprint as devices show it: `AB:CD:…`.
  public var fingerprintText: String {
    self.fingerprint.map { ASCII.hex(CollectionOfOne($0)).uppercased() }.joined(separator: ":")
  }

  /// An unsigned Apple configuration profile that installs the certificate.
  ///
  /// Its identifiers are made from the fingerprint: a profile that is installed twice replaces
  /// itself, and a new authority's stands beside the old one's.
  public var mobileProfile: Bytes { Self.mobileProfile(of: [self]) }

  /// An unsigned Apple configuration profile that installs several certificates at once: during a
  /// rotation the new one, which names the profile, and the one before it.
  public static func mobileProfile(of certificates: [AuthorityCertificate]) -> Bytes {
    guard let first = certificates.first else { return Bytes() }
    let profile = Self.uuid(first.fingerprint.slice(0..<16))
    return Bytes(
      """
      <?xml version="1.0" encoding="UTF-8"?>
      <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" \
      "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
      <plist version="1.0">
      <dict>
        <key>PayloadContent</key>
        <array>
      \(certificates.map(\.payload).joined(separator: "\n"))
        </array>
        <key>PayloadDescription</key>
        <string>Lets Tidewaiter read the TLS traffic of this device. Remove it after the test.</string>
        <key>PayloadDisplayName</key>
        <string>\(first.displayName)</string>
        <key>PayloadIdentifier</key>
        <string>internal.tidewaiter.profile.\(profile)</string>
        <key>PayloadRemovalDisallowed</key>
        <false/>
        <key>PayloadType</key>
        <string>Configuration</string>
        <key>PayloadUUID</key>
        <string>\(profile)</string>
        <key>PayloadVersion</key>
        <integer>1</integer>
      </dict>
      </plist>

      """
    )
  }

  private var displayName: String {
    "Tidewaiter CA " + ASCII.hex(self.fingerprint.prefix(4)).uppercased()
  }

  /// The part of a profile that installs this certificate.
  private var payload: String {
    let identifier = Self.uuid(self.fingerprint.slice(16..<32))
    return """
          <dict>
            <key>PayloadCertificateFileName</key>
            <string>tidewaiter.cer</string>
            <key>PayloadContent</key>
            <data>
      \(Self.base64(self.der, columns: 64))
            </data>
            <key>PayloadDisplayName</key>
            <string>\(self.displayName)</string>
            <key>PayloadIdentifier</key>
            <string>internal.tidewaiter.ca.\(identifier)</string>
            <key>PayloadType</key>
            <string>com.apple.security.root</string>
            <key>PayloadUUID</key>
            <string>\(identifier)</string>
            <key>PayloadVersion</key>
            <integer>1</integer>
          </dict>
      """
  }

  /// Sixteen bytes as a UUID of version 8: made by us, by a rule of our own (RFC 9562 §5.8).
  private static func uuid(_ bytes: Bytes) -> String {
    var octets = bytes.array
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    let parts = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { ASCII.hex(octets[$0]).uppercased() }
    return parts.joined(separator: "-")
  }

  private static func base64(_ bytes: Bytes, columns: Int) -> String {
    let text = Array(Data(bytes.array).base64EncodedString().utf8)
    return stride(from: 0, to: text.count, by: columns)
      .map { String(decoding: text[$0..<min($0 + columns, text.count)], as: UTF8.self) }
      .joined(separator: "\n")
  }
}
