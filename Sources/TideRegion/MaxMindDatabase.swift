internal import CMaxMindDB
internal import Glibc
public import TideCore

/// A MaxMind database of countries, autonomous systems or both (`*.mmdb`), mapped by libmaxminddb.
///
/// Owns one `MMDB_s` and the mapping behind it from `init` to `deinit`. Replace such a file by renaming a new
/// one over it: a mapped file that is cut in place ends the process.
///
/// `@unchecked Sendable`: the handle is written by `MMDB_open` in `init` and by `MMDB_close` in `deinit`,
/// which no other use can overlap; between them every function called takes it as `const`, and
/// libmaxminddb keeps no other state (its manual: one handle may be shared among threads).
@safe
public final class MaxMindDatabase: @unchecked Sendable {
  /// What the database is.
  public let info: RegionSourceInfo
  private let handle: UnsafeMutablePointer<MMDB_s>

  /// What the database says of one address.
  public struct Record: Hashable, Sendable {
    /// ISO 3166-1 alpha-2 in upper case, if there.
    public let country: String?
    /// The autonomous system's number, if there.
    public let asn: UInt32?
  }

  /// Maps the file at `path`.
  ///
  /// - Parameters:
  ///   - path: where it is.
  ///   - sha256: its digest in hexadecimal, for the record.
  /// - Throws: `.unreadable` if it cannot be mapped, `.malformed` if it is no such database, `.empty`.
  public init(path: String, sha256: String? = nil) throws(RegionFailure) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let handle = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
    unsafe handle.initialize(to: MMDB_s())
    let status = unsafe MMDB_open(path, UInt32(MMDB_MODE_MMAP), handle)
    guard status == MMDB_SUCCESS else {
      unsafe handle.deallocate()
      let isMissing = status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR
      throw RegionFailure(
        isMissing ? .unreadable : .malformed,
        source: name,
        detail: Self.reason(status)
      )
    }
    let metadata = unsafe handle.pointee.metadata
    let sample = unsafe Self.sample(handle)
    guard sample.records > 0 else {
      unsafe MMDB_close(handle)
      unsafe handle.deallocate()
      throw RegionFailure(
        sample.isDamaged ? .malformed : .empty,
        source: name,
        detail: "no readable entry in \(unsafe metadata.node_count) nodes"
      )
    }
    unsafe self.handle = handle
    self.info = RegionSourceInfo(
      name: name,
      date: unsafe Self.date(metadata.build_epoch),
      sha256: sha256,
      entries: Int(unsafe metadata.node_count),
      hasIPv4: true,
      hasIPv6: unsafe metadata.ip_version == 6,
      knowsCountry: sample.knowsCountry,
      knowsASN: sample.knowsASN
    )
  }

  deinit {
    unsafe MMDB_close(self.handle)
    unsafe self.handle.deallocate()
  }

  /// What the database says of `address`; nil if it has no entry for it.
  ///
  /// - Throws: `.damagedRecord`.
  public func record(of address: IPAddress) throws(RegionFailure) -> Record? {
    if case .v6 = address, !self.info.hasIPv6 { return nil }
    var status = MMDB_SUCCESS
    let result: MMDB_lookup_result_s
    switch address {
    case .v4(let value):
      var socket = sockaddr_in()
      socket.sin_family = sa_family_t(AF_INET)
      socket.sin_addr.s_addr = value.bigEndian
      unsafe result = withUnsafePointer(to: &socket) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          unsafe MMDB_lookup_sockaddr(self.handle, address, &status)
        }
      }
    case .v6(let value):
      var socket = sockaddr_in6()
      socket.sin6_family = sa_family_t(AF_INET6)
      unsafe withUnsafeMutableBytes(of: &socket.sin6_addr) { bytes in
        unsafe bytes.storeBytes(of: value.bigEndian, as: UInt128.self)
      }
      unsafe result = withUnsafePointer(to: &socket) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          unsafe MMDB_lookup_sockaddr(self.handle, address, &status)
        }
      }
    }
    guard status == MMDB_SUCCESS else { throw self.damaged(status) }
    guard unsafe result.found_entry else { return nil }
    var entry = unsafe result.entry
    do throws(Damage) {
      return try unsafe Self.read(&entry)
    } catch {
      throw self.damaged(error.status)
    }
  }

  private func damaged(_ status: Int32) -> RegionFailure {
    RegionFailure(.damagedRecord, source: self.info.name, detail: Self.reason(status))
  }

  private static func reason(_ status: Int32) -> String {
    unsafe String(cString: MMDB_strerror(status))
  }

  /// The day of a time in seconds since 1970; nil for 0 and for what no clock says.
  private static func date(_ epoch: UInt64) -> String? {
    guard (1..<9_000_000_000).contains(epoch) else { return nil }
    let civil = WallTime(seconds: Int64(epoch)).civil
    return "\(civil.year)-\(self.padded(civil.month))-\(self.padded(civil.day))"
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

/// Reading entries: the layouts of GeoLite2, DB-IP Lite and IPinfo.
extension MaxMindDatabase {
  private struct Damage: Error {
    let status: Int32
  }

  private static func read(_ entry: inout MMDB_entry_s) throws(Damage) -> Record {
    // GeoLite2 and DB-IP nest the code; IPinfo writes it flat, as `country_code` or, in older files, `country`.
    var country = try unsafe self.text(&entry, "country", "iso_code").flatMap(self.code)
    if country == nil { country = try unsafe self.text(&entry, "country_code").flatMap(self.code) }
    if country == nil { country = try unsafe self.text(&entry, "country").flatMap(self.code) }
    var asn = try unsafe self.number(&entry, "autonomous_system_number")
    if asn == nil { asn = try unsafe self.number(&entry, "asn") }
    return Record(country: country, asn: asn)
  }

  /// The string at a path of keys; nil if there is none.
  private static func text(
    _ entry: inout MMDB_entry_s,
    _ keys: StaticString...
  ) throws(Damage) -> String? {
    guard let value = try unsafe self.value(&entry, keys),
      unsafe value.type == UInt32(MMDB_DATA_TYPE_UTF8_STRING), let start = unsafe value.utf8_string
    else { return nil }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: Int(value.data_size))
    return unsafe String(decoding: bytes, as: UTF8.self)
  }

  /// The number at a key, written as one or as `AS64512`; nil if there is none.
  private static func number(
    _ entry: inout MMDB_entry_s,
    _ key: StaticString
  ) throws(Damage)
    -> UInt32?
  {
    guard let value = try unsafe self.value(&entry, [key]) else { return nil }
    switch unsafe Int32(bitPattern: value.type) {
    case MMDB_DATA_TYPE_UINT16: return UInt32(unsafe value.uint16)
    case MMDB_DATA_TYPE_UINT32: return unsafe value.uint32
    case MMDB_DATA_TYPE_UTF8_STRING:
      guard let text = try unsafe self.text(&entry, key) else { return nil }
      return UInt32(text.hasPrefix("AS") ? text.dropFirst(2) : text[...])
    default: return nil
    }
  }

  private static func value(
    _ entry: inout MMDB_entry_s,
    _ keys: [StaticString]
  ) throws(Damage) -> MMDB_entry_data_s? {
    var value = unsafe MMDB_entry_data_s()
    // A StaticString's code units are followed by a zero and live for ever.
    var path: [UnsafePointer<CChar>?] = unsafe keys.map { key in
      unsafe UnsafeRawPointer(key.utf8Start).assumingMemoryBound(to: CChar.self)
    }
    unsafe path.append(nil)
    let status = unsafe MMDB_aget_value(&entry, &value, path)
    switch status {
    case MMDB_SUCCESS: return unsafe value.has_data ? value : nil
    case MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR: return nil
    default: throw Damage(status: status)
    }
  }

  private static func code(_ text: String) -> String? {
    let letters = text.utf8
    guard letters.count == 2, letters.allSatisfy({ ASCII.lowercased($0) &- 0x61 < 26 })
    else { return nil }
    return text.uppercased()
  }

  private struct Sample {
    var records = 0
    var knowsCountry = false
    var knowsASN = false
    var isDamaged = false

    mutating func visit(_ kind: UInt8, _ record: MMDB_entry_s) {
      switch Int32(kind) {
      case MMDB_RECORD_TYPE_DATA:
        var entry = unsafe record
        do throws(Damage) {
          let found = try unsafe MaxMindDatabase.read(&entry)
          self.records += 1
          if found.country != nil { self.knowsCountry = true }
          if found.asn != nil { self.knowsASN = true }
        } catch {
          self.isDamaged = true
        }
      case MMDB_RECORD_TYPE_SEARCH_NODE, MMDB_RECORD_TYPE_EMPTY: break
      default: self.isDamaged = true
      }
    }
  }

  /// Reads a few entries to learn what the database knows: its type's name is free text.
  private static func sample(_ handle: UnsafeMutablePointer<MMDB_s>) -> Sample {
    var sample = Sample()
    var pending: [UInt32] = [0]
    var visits = 0
    while let number = pending.popLast(), visits < 4_096, sample.records < 64 {
      visits += 1
      var node = unsafe MMDB_search_node_s()
      guard unsafe MMDB_read_node(handle, number, &node) == MMDB_SUCCESS else {
        sample.isDamaged = true
        continue
      }
      unsafe sample.visit(node.left_record_type, node.left_record_entry)
      unsafe sample.visit(node.right_record_type, node.right_record_entry)
      // The left record is taken next: in a tree for both families, IPv4 lies to the left.
      if unsafe Int32(node.right_record_type) == MMDB_RECORD_TYPE_SEARCH_NODE {
        pending.append(UInt32(truncatingIfNeeded: unsafe node.right_record))
      }
      if unsafe Int32(node.left_record_type) == MMDB_RECORD_TYPE_SEARCH_NODE {
        pending.append(UInt32(truncatingIfNeeded: unsafe node.left_record))
      }
    }
    return sample
  }
}
