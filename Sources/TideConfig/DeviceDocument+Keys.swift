import TideCore
import TideDecoding

extension DeviceDocument {
  /// Reads `sdk_keys`: what vendors encrypt payloads with inside TLS.
  static func keys(_ root: inout MappingReader) -> [DeviceProfile.SDKKey] {
    guard let value = root.value("sdk_keys") else { return [] }
    var keys: [DeviceProfile.SDKKey] = []
    for item in Self.items(of: value) {
      var reader = MappingReader(
        item,
        path: "sdk_keys",
        what: "a key: { name: …, alg: AES-128-ECB-PKCS7, key_hex: … }",
        session: root.session
      )
      var name: String?
      var algorithm: String?
      var key: [UInt8]?
      var iv: [UInt8]?
      reader.read("name", required: .keyName, into: &name)
      reader.read("alg", required: .cipher, into: &algorithm)
      let keyByteCounts = algorithm.flatMap { try? PayloadCipher(parsing: $0).keyByteCounts }
      reader.read("key_hex", required: .hexadecimal(keyByteCounts, "key"), into: &key)
      let blockByteCount = algorithm.flatMap { try? PayloadCipher(parsing: $0).blockByteCount }
      reader.read(
        "iv_hex",
        orNull: .hexadecimal(blockByteCount.map { [$0] }, "initialisation vector"),
        into: &iv
      )
      reader.finish()
      guard let name, let algorithm, let key else { continue }
      keys.append(DeviceProfile.SDKKey(name: name, algorithm: algorithm, key: key, iv: iv))
    }
    return keys
  }
}

extension ScalarForm where Value == String {
  /// What a finding's `encoding` calls a key.
  fileprivate static var keyName: Self {
    Self(expected: "a name of at most 64 characters without blanks") { text in
      let isLegal = text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F }
      return isLegal && (1...64).contains(text.count) ? text : nil
    }
  }

  /// A cipher with mode and padding.
  fileprivate static var cipher: Self {
    Self(expected: "a cipher: \(PayloadCipher.possibilities)") { text in
      // AES without a size takes it from its key, which is read next.
      let isKnown = [nil, 16, 24, 32].contains { count in
        (try? PayloadCipher(parsing: text, keyByteCount: count)) != nil
      }
      return isKnown ? text : nil
    }
  }
}

extension ScalarForm where Value == [UInt8] {
  /// Bytes in hexadecimal digits, as many as fit.
  fileprivate static func hexadecimal(_ counts: [Int]?, _ what: String) -> Self {
    let sizes = counts.map { $0.map { "\($0)" }.joined(separator: " or ") + " bytes" } ?? "bytes"
    return Self(expected: "the \(what): \(sizes) in hexadecimal digits") { text in
      let digits = text.utf8.compactMap { ASCII.hexValue($0) }
      guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2), !digits.isEmpty else {
        return nil
      }
      let bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
      if let counts, !counts.contains(bytes.count) { return nil }
      return bytes
    }
  }
}
