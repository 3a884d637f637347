import COpenSSL
import TideCore

/// What is known of revocation lists that have been judged before, so that they are not read again.
///
/// A list of 100,000 certificates takes a tenth of a second to parse and to verify, in which its loop does
/// nothing else. What is kept of it takes 8 bytes a certificate, and not the hundreds that the list takes
/// in OpenSSL: a hash of each serial number. A number whose hash is not among them is not in the list; one whose hash is has the
/// list itself read again. So a collision costs time and changes no verdict.
///
/// Whether a list covers a certificate is OpenSSL's to say. It goes by the list, the issuer, and of
/// the certificate by nothing but its kind and the distribution points that it names; for others of the
/// same sort the verdict stands.
struct KnownLists {
  /// How many lists are kept at most.
  static let mostLists = 64
  /// How many serial numbers are kept at most, of all lists but the one that was used last: 8 MiB.
  static let mostSerials = 1 << 20

  private var lists: [String: KnownList] = [:]
  private var uses: UInt64 = 0

  /// How many lists are known.
  var count: Int { self.lists.count }

  /// What a list is known to say about a certificate.
  ///
  /// - Parameters:
  ///   - name: what the list is kept by.
  ///   - mark: by which its bytes are known again.
  ///   - certificate: which must have been verified to be of the issuer.
  ///   - issuer: its issuer.
  ///   - now: the time.
  /// - Returns: the answer; nil if the list has to be read.
  mutating func answer(
    of name: String,
    marked mark: ListMark,
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime
  ) -> RevocationList.Answer? {
    guard let known = self.lists[name], known.mark == mark,
      let answer = known.answer(on: certificate, by: issuer, at: now)
    else { return nil }
    self.uses += 1
    self.lists[name]?.lastUse = self.uses
    return answer
  }

  /// Remembers a list by what it has said about a certificate.
  mutating func learn(
    _ list: RevocationList,
    as name: String,
    marked mark: ListMark,
    saying verdict: RevocationList.Verdict,
    on certificate: X509Certificate,
    by issuer: X509Certificate
  ) {
    switch verdict {
    case .unlisted, .revoked: break
    case .unrelated, .forged, .unusable: return
    }
    // Taken out, so that it is changed in place.
    var known =
      self.lists.removeValue(forKey: name).flatMap { $0.mark == mark ? $0 : nil }
      ?? KnownList(list, mark)
    known.learn(verdict, on: certificate, by: issuer)
    self.uses += 1
    known.lastUse = self.uses
    self.makeRoom(for: known.serials.count)
    self.lists[name] = known
  }

  /// Forgets the lists that were not used for longest.
  private mutating func makeRoom(for count: Int) {
    var serials = self.lists.values.reduce(count) { $0 + $1.serials.count }
    while serials > Self.mostSerials || self.lists.count >= Self.mostLists,
      let oldest = self.lists.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      serials -= oldest.value.serials.count
      self.lists[oldest.key] = nil
    }
  }
}

/// By what a list's bytes are known again: their number, their start, and the end of the signature.
///
/// Two lists that one key has signed differ in it. Bytes that somebody has made to resemble a known list
/// are judged by that list, which its issuer did sign.
struct ListMark: Hashable {
  private let count: Int
  private let ends: [UInt8]

  /// Marks a list's bytes.
  init(_ bytes: Bytes) {
    self.count = bytes.count
    self.ends = Array(bytes.prefix(64)) + Array(bytes.suffix(64))
  }
}

/// What is known of one list.
private struct KnownList {
  /// A sort of certificates that the list has been found to cover, signature and all.
  private struct Coverage {
    /// Two certificates of a sort differ in nothing that the list's reach depends on.
    struct Sort: Equatable {
      let flags: UInt32
      let points: [UInt8]
    }

    let issuer: X509Certificate
    let sort: Sort
    /// Whether one of the sort was found not to be listed: a list for some reasons only revokes, and
    /// vouches for nothing.
    var vouches = false
    /// What was said of those that are revoked, by serial number.
    var revoked: [[UInt8]: String] = [:]
  }

  private static let mostCoverages = 8
  private static let mostRevoked = 64

  let mark: ListMark
  /// The serial numbers' hashes, in ascending order.
  let serials: [Int]
  private let times: RevocationList.Times
  private var coverages: [Coverage] = []
  /// When it was last used, in uses.
  var lastUse: UInt64 = 0

  init(_ list: RevocationList, _ mark: ListMark) {
    self.mark = mark
    self.times = list.times
    self.serials = list.serialHashes.sorted()
  }

  func answer(
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime
  ) -> RevocationList.Answer? {
    guard let coverage = self.coverage(of: certificate, by: issuer).map({ self.coverages[$0] })
    else { return nil }
    let serial = certificate.serial
    if let reason = coverage.revoked[serial] { return .revoked(reason) }
    guard coverage.vouches, !self.mayHold(certificate.serialHash) else { return nil }
    return self.times.answer(at: now)
  }

  mutating func learn(
    _ verdict: RevocationList.Verdict,
    on certificate: X509Certificate,
    by issuer: X509Certificate
  ) {
    var coverage =
      self.coverage(of: certificate, by: issuer).map { self.coverages.remove(at: $0) }
      ?? Coverage(issuer: issuer, sort: Self.sort(of: certificate))
    switch verdict {
    case .unlisted:
      coverage.vouches = true
    case .revoked(let reason):
      if coverage.revoked.count >= Self.mostRevoked { coverage.revoked.removeAll() }
      coverage.revoked[certificate.serial] = reason
    case .unrelated, .forged, .unusable:
      return
    }
    if self.coverages.count >= Self.mostCoverages { self.coverages.removeFirst() }
    self.coverages.append(coverage)
  }

  private func coverage(of certificate: X509Certificate, by issuer: X509Certificate) -> Int? {
    let sort = Self.sort(of: certificate)
    return self.coverages.firstIndex {
      unsafe $0.sort == sort && X509_cmp($0.issuer.handle, issuer.handle) == 0
    }
  }

  private static func sort(of certificate: X509Certificate) -> Coverage.Sort {
    let flags = unsafe X509_get_extension_flags(certificate.handle)
    return Coverage.Sort(flags: flags, points: certificate.distributionPoints)
  }

  /// Whether the list may hold a serial number of this hash.
  private func mayHold(_ hash: Int) -> Bool {
    var range = self.serials.indices
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      let found = self.serials[middle]
      if found == hash { return true }
      range = found < hash ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return false
  }
}

extension TLSClientContext {
  /// What one of the configured lists says about a certificate.
  ///
  /// - Parameters:
  ///   - index: which one.
  ///   - certificate: which certificate.
  ///   - issuer: its issuer.
  ///   - now: the time.
  ///   - isVerified: whether the certificate was verified to be of the issuer.
  /// - Returns: the answer.
  func answer(
    ofList index: Int,
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime,
    isVerified: Bool
  ) -> RevocationList.Answer {
    // It does not change, so nothing needs to mark it.
    let (name, mark) = ("configured \(index)", ListMark(Bytes()))
    return self.known(
      name,
      mark,
      on: certificate,
      by: issuer,
      at: now,
      isVerified: isVerified
    )
      ?? self.read(
        self.lists[index],
        as: name,
        mark,
        on: certificate,
        by: issuer,
        at: now,
        isVerified: isVerified
      )
  }

  /// What a list that was fetched says about a certificate.
  ///
  /// - Parameters:
  ///   - bytes: the list in DER.
  ///   - name: what it is kept by: its issuer's key and its address.
  ///   - certificate: which certificate.
  ///   - issuer: its issuer.
  ///   - now: the time.
  ///   - isVerified: whether the certificate was verified to be of the issuer.
  /// - Returns: the answer; nil if it is no list.
  func answer(
    ofList bytes: Bytes,
    named name: String,
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime,
    isVerified: Bool
  ) -> RevocationList.Answer? {
    let mark = ListMark(bytes)
    let known = self.known(
      name,
      mark,
      on: certificate,
      by: issuer,
      at: now,
      isVerified: isVerified
    )
    if let known { return known }
    guard let list = RevocationList.parse(der: bytes.array, origin: "the list") else { return nil }
    return self.read(
      list,
      as: name,
      mark,
      on: certificate,
      by: issuer,
      at: now,
      isVerified: isVerified
    )
  }

  /// What is known of a list without reading it; nothing of a certificate that was not verified.
  private func known(
    _ name: String,
    _ mark: ListMark,
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime,
    isVerified: Bool
  ) -> RevocationList.Answer? {
    guard isVerified else { return nil }
    return self.knownLists.answer(of: name, marked: mark, on: certificate, by: issuer, at: now)
  }

  /// Reads a list, and keeps what it says of a certificate that was verified.
  private func read(
    _ list: RevocationList,
    as name: String,
    _ mark: ListMark,
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime,
    isVerified: Bool
  ) -> RevocationList.Answer {
    let verdict = list.verdict(on: certificate, by: issuer)
    if isVerified {
      self.knownLists.learn(
        list,
        as: name,
        marked: mark,
        saying: verdict,
        on: certificate,
        by: issuer
      )
    }
    return list.times.answer(verdict, at: now)
  }
}

extension RevocationList {
  /// The hashes of the serial numbers that it lists.
  fileprivate var serialHashes: [Int] {
    let entries = unsafe X509_CRL_get_REVOKED(self.handle)
    return unsafe (0..<max(0, OPENSSL_sk_num(entries))).map { index in
      let entry = unsafe OPENSSL_sk_value(entries, index).map { OpaquePointer($0) }
      return unsafe hash(ofSerial: X509_REVOKED_get0_serialNumber(entry))
    }
  }
}

extension X509Certificate {
  /// The serial number in DER.
  fileprivate var serial: [UInt8] {
    let number = unsafe X509_get0_serialNumber(self.handle)
    let count = unsafe i2d_ASN1_INTEGER(number, nil)
    guard count > 0 else { return [] }
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(count)) { room, filled in
      var position = room.baseAddress
      filled = unsafe max(0, Int(i2d_ASN1_INTEGER(number, &position)))
    }
  }

  /// The serial number's hash.
  fileprivate var serialHash: Int {
    unsafe hash(ofSerial: X509_get0_serialNumber(self.handle))
  }

  /// The value of its cRLDistributionPoints; empty if it has none.
  fileprivate var distributionPoints: [UInt8] {
    let index = unsafe X509_get_ext_by_NID(self.handle, NID_crl_distribution_points, -1)
    guard let part = unsafe X509_get_ext(self.handle, index),
      let value = unsafe X509_EXTENSION_get_data(part),
      let start = unsafe ASN1_STRING_get0_data(value)
    else { return [] }
    return unsafe [UInt8](UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(value))))
  }
}

/// A hash of a serial number's magnitude, which nobody who chooses the number can foresee.
private func hash(ofSerial number: UnsafePointer<ASN1_INTEGER>?) -> Int {
  var hasher = Hasher()
  if let number = unsafe number, let start = unsafe ASN1_STRING_get0_data(number) {
    let count = unsafe Int(ASN1_STRING_length(number))
    unsafe hasher.combine(bytes: UnsafeRawBufferPointer(start: start, count: count))
  }
  return hasher.finalize()
}
