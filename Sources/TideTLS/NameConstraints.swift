import COpenSSL
import TideCore

/// What a CA's certificate limits the names below it to (RFC 5280 §4.2.1.10), as far as it concerns a
/// leaf of ours: dNSName and iPAddress.
///
/// Read once, so that asking costs a few comparisons; a test compares the answers with OpenSSL's own.
struct NameConstraints {
  /// One side, permitted or excluded.
  private struct Subtrees {
    var names: [[UInt8]] = []
    /// Address and mask, each of one length.
    var blocks: [[UInt8]] = []
  }

  private var permitted = Subtrees()
  private var excluded = Subtrees()

  /// The limits that a certificate sets; nil if it sets none.
  ///
  /// - Throws: `.certificate` if they cannot be read: then nothing can be issued that a client accepts.
  init?(of certificate: X509Certificate) throws(TLSFailure) {
    ErrorQueue.clear()
    var isCritical: Int32 = 0
    let raw = unsafe X509_get_ext_d2i(
      certificate.handle,
      NID_name_constraints,
      &isCritical,
      nil
    )
    guard let raw = unsafe raw else {
      // -1: there are none; else there are two, or they are broken.
      guard isCritical == -1 else {
        throw .drained(.certificate, "the CA's name constraints cannot be read")
      }
      return nil
    }
    let constraints = unsafe raw.assumingMemoryBound(to: NAME_CONSTRAINTS.self)
    defer { unsafe NAME_CONSTRAINTS_free(constraints) }
    self.permitted = try unsafe Self.subtrees(of: constraints, areExcluded: false)
    self.excluded = try unsafe Self.subtrees(of: constraints, areExcluded: true)
  }

  private static func subtrees(
    of constraints: UnsafePointer<NAME_CONSTRAINTS>,
    areExcluded: Bool
  ) throws(TLSFailure) -> Subtrees {
    var list = Subtrees()
    var index: Int32 = 0
    while true {
      var kind: Int32 = 0
      var start: UnsafePointer<UInt8>?
      var count: Int32 = 0
      let state = unsafe tide_name_constraint(
        constraints,
        areExcluded ? 1 : 0,
        index,
        &kind,
        &start,
        &count
      )
      guard state >= 0 else {
        throw TLSFailure(
          .certificate,
          detail: "the CA's name constraints have a minimum or maximum"
        )
      }
      guard state == 1 else { return list }
      let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
      switch kind {
      case GEN_DNS: list.names.append(bytes.map(ASCII.lowercased))
      case GEN_IPADD: list.blocks.append(bytes)
      default: break  // names of people and other things, which a leaf of ours does not have
      }
      index += 1
    }
  }

  /// Whether a leaf for `host` keeps to the limits.
  func permit(_ host: Host) -> Bool {
    switch host {
    case .name(let name):
      let bytes = Array(name.text.utf8)
      // A kind of name of which nothing is permitted by name is not limited.
      let isPermitted =
        self.permitted.names.isEmpty
        || self.permitted.names.contains { Self.lies(bytes, below: $0) }
      return isPermitted && !self.excluded.names.contains { Self.lies(bytes, below: $0) }
    case .address(let address):
      let octets = address.octets
      let isPermitted =
        self.permitted.blocks.isEmpty
        || self.permitted.blocks.contains { Self.lies(octets, in: $0) }
      return isPermitted && !self.excluded.blocks.contains { Self.lies(octets, in: $0) }
    }
  }

  /// Whether a name is `base` or below it; a base that begins with a dot means below it only.
  private static func lies(_ name: [UInt8], below base: [UInt8]) -> Bool {
    guard let first = base.first else { return true }
    guard name.count > base.count else { return name == base }
    let isAtLabel = first == 0x2E || name[name.count - base.count - 1] == 0x2E
    return isAtLabel && name.suffix(base.count).elementsEqual(base)
  }

  /// Whether an address lies in a block; families never mix.
  private static func lies(_ octets: [UInt8], in block: [UInt8]) -> Bool {
    guard block.count == 2 * octets.count else { return false }
    return zip(octets, zip(block, block.dropFirst(octets.count)))
      .allSatisfy { ($0 ^ $1.0) & $1.1 == 0 }
  }

  /// What is permitted, as far as it can be written in `ca.permit`.
  var permittedNames: [PermittedName] {
    self.permitted.names.compactMap { name in
      let text = String(decoding: name.first == 0x2E ? name.dropFirst() : name[...], as: UTF8.self)
      return Hostname(text).map { .domain($0) }
    }
      + self.permitted.blocks.compactMap { block in
        let half = block.count / 2
        let length = block.dropFirst(half).reduce(0) { $0 + $1.nonzeroBitCount }
        guard let address = IPAddress(octets: block.prefix(half)) else { return nil }
        return CIDR(address, prefixLength: length).map { .network($0) }
      }
  }
}

extension CACertificate {
  /// The names that the certificate is limited to; nil if it has no limits.
  public var permittedNames: [PermittedName]? {
    // Limits that cannot be read were refused when the CA was loaded; for show, they permit nothing.
    do throws(TLSFailure) {
      return try NameConstraints(of: self.certificate)?.permittedNames
    } catch {
      return []
    }
  }

  /// Whether the certificate has the limits that `permitted` asks for, no less and no more.
  public func isLimited(to permitted: [PermittedName]) -> Bool {
    let wanted =
      permitted.isEmpty ? [] : permitted + [CertificateExtension.ownName].compactMap { $0 }
    guard let own = self.permittedNames else { return wanted.isEmpty }
    return !wanted.isEmpty && Set(own) == Set(wanted)
  }
}

extension CertificateExtension {
  /// The name of our own pages, which devices ask for through the proxy whatever is audited.
  static var ownName: PermittedName? { PermittedName("tidewaiter.internal") }

  /// The most that the names of `ca.permit` may take of a certificate, in bytes of DER.
  ///
  /// Some thousand short names. Every device carries them with the CA, and checks them with each leaf.
  private static let largestSubtrees = 32 << 10

  /// Critical `nameConstraints`: `permitted` and our own pages, and of addresses none that is not named.
  ///
  /// - Throws: `.certificate` if they are too long for a certificate.
  static func nameConstraints(
    permitting permitted: [PermittedName]
  ) throws(TLSFailure) -> CertificateExtension {
    let all =
      permitted
      + [Self.ownName].compactMap { name in
        name.flatMap { permitted.contains($0) ? nil : $0 }
      }
    var isOpen = (v4: false, v6: false)
    var subtrees: [UInt8] = []
    for name in all {
      switch name {
      case .domain(let name):
        subtrees += Self.element(0x30, Self.element(0x82, Array(name.text.utf8)))
      case .network(let block):
        switch block.base {
        case .v4: isOpen.v4 = true
        case .v6: isOpen.v6 = true
        }
        subtrees += Self.subtree(block.base.octets, prefixLength: block.prefixLength)
      }
    }
    guard subtrees.count <= Self.largestSubtrees else {
      throw TLSFailure(
        .certificate,
        detail: "ca.permit takes \(subtrees.count) bytes of the certificate; at most "
          + "\(Self.largestSubtrees) are allowed"
      )
    }
    var value = Self.element(0xA0, subtrees)
    // A kind of name that is not mentioned would be free: without these, any address.
    var closed: [UInt8] = []
    if !isOpen.v4 { closed += Self.subtree([0, 0, 0, 0], prefixLength: 0) }
    if !isOpen.v6 { closed += Self.subtree([UInt8](repeating: 0, count: 16), prefixLength: 0) }
    if !closed.isEmpty { value += Self.element(0xA1, closed) }
    return CertificateExtension(
      kind: NID_name_constraints,
      isCritical: true,
      value: Self.element(0x30, value)
    )
  }

  /// A GeneralSubtree of addresses: the base, then the mask.
  private static func subtree(_ octets: [UInt8], prefixLength: Int) -> [UInt8] {
    let mask = octets.indices.map { index in
      let bits = max(0, min(8, prefixLength - index * 8))
      return UInt8(truncatingIfNeeded: 0xFF00 >> bits)
    }
    return Self.element(0x30, Self.element(0x87, octets + mask))
  }
}
