import CVectorscan
import TideCore

/// Owns one compiled vectorscan database of literal strings, in block mode.
///
/// Block mode over overlapping windows, not streaming mode: there is no state per body to allocate,
/// most messages are one window, and the overlap is what boundaries need anyway.
@safe final class Automaton: @unchecked Sendable {
  // Sendable: a database is immutable once compiled and may be shared among threads (hs.h); each
  // thread scans with a scratch of its own.

  /// A string to search for; its index is its number in hits.
  struct Literal: Hashable {
    /// Not empty, and not beginning with 0: vectorscan takes that for an empty string.
    let bytes: [UInt8]
    let isCaseless: Bool
  }

  fileprivate let handle: OpaquePointer

  /// What databases are compiled by; one of another version is of no use.
  static var version: String { unsafe String(cString: hs_version()) }

  init(_ literals: [Literal]) throws(InspectionFailure) {
    var flags = literals.map { $0.isCaseless ? UInt32(HS_FLAG_CASELESS) : 0 }
    var numbers = literals.indices.map { UInt32($0) }
    var lengths = literals.map(\.bytes.count)
    // One buffer for all strings: the compiler wants an array of pointers that live at once.
    let text = literals.flatMap { $0.bytes.map(CChar.init(bitPattern:)) }
    var database: OpaquePointer?
    var compileError: UnsafeMutablePointer<hs_compile_error_t>?
    let status = unsafe text.withUnsafeBufferPointer { text in
      var pointers: [UnsafePointer<CChar>?] = unsafe []
      unsafe pointers.reserveCapacity(literals.count)
      var start = 0
      for literal in literals {
        unsafe pointers.append(text.baseAddress.map { unsafe $0 + start })
        start += literal.bytes.count
      }
      return unsafe hs_compile_lit_multi(
        &pointers,
        &flags,
        &numbers,
        &lengths,
        UInt32(literals.count),
        UInt32(HS_MODE_BLOCK),
        nil,
        &database,
        &compileError
      )
    }
    defer {
      if let compileError = unsafe compileError { unsafe hs_free_compile_error(compileError) }
    }
    guard status == HS_SUCCESS, let database = unsafe database else {
      // vectorscan's message quotes no literal.
      let reason = unsafe compileError.flatMap { error in
        unsafe error.pointee.message.map { unsafe String(cString: $0) }
      }
      throw InspectionFailure(.needles, reason ?? "vectorscan: status \(status)")
    }
    unsafe self.handle = database
  }

  /// Reads what `serialized` wrote; nil if it is damaged, of another version or another processor's.
  init?(serialized bytes: Bytes) {
    var database: OpaquePointer?
    let status = unsafe bytes.withUnsafeBytes { bytes in
      unsafe hs_deserialize_database(
        bytes.bindMemory(to: CChar.self).baseAddress,
        bytes.count,
        &database
      )
    }
    guard status == HS_SUCCESS, let database = unsafe database else { return nil }
    unsafe self.handle = database
  }

  deinit { unsafe hs_free_database(self.handle) }

  /// The database as bytes; nil if there is no memory for them.
  var serialized: Bytes? {
    var text: UnsafeMutablePointer<CChar>?
    var count = 0
    let status = unsafe hs_serialize_database(self.handle, &text, &count)
    guard status == HS_SUCCESS, let text = unsafe text else { return nil }
    // Allocated by vectorscan with malloc, for the caller to free.
    defer { unsafe free(text) }
    return unsafe Bytes(copying: UnsafeRawBufferPointer(start: text, count: count))
  }

  /// The bytes that the database occupies.
  var byteCount: Int {
    var count = 0
    unsafe hs_database_size(self.handle, &count)
    return count
  }
}

/// Owns the scratch with which one thread scans.
@safe final class AutomatonScratch {
  /// A literal that was seen, and the position after it.
  struct Hit {
    let literal: UInt32
    let end: Int
  }

  private let automaton: Automaton
  private let scratch: OpaquePointer
  /// What the last scan saw, in no order that means anything.
  private(set) var hits: [Hit] = []

  init(_ automaton: Automaton) throws(InspectionFailure) {
    var scratch: OpaquePointer?
    let status = unsafe hs_alloc_scratch(automaton.handle, &scratch)
    guard status == HS_SUCCESS, let scratch = unsafe scratch else {
      throw InspectionFailure(.needles, "vectorscan: no scratch, status \(status)")
    }
    self.automaton = automaton
    unsafe self.scratch = scratch
  }

  deinit { unsafe hs_free_scratch(self.scratch) }

  /// Looks for the literals and keeps them in `hits`.
  func scan(_ span: Span<UInt8>) {
    self.hits.removeAll(keepingCapacity: true)
    // The empty span may have no address, and holds nothing.
    guard !span.isEmpty else { return }
    let status = unsafe withUnsafeMutablePointer(to: &self.hits) { hits in
      unsafe span.withUnsafeBytes { bytes in
        unsafe hs_scan(
          self.automaton.handle,
          bytes.bindMemory(to: CChar.self).baseAddress,
          UInt32(bytes.count),
          0,
          self.scratch,
          { number, _, end, _, context in
            // The context is `hits`, which outlives the scan.
            unsafe context?.assumingMemoryBound(to: [Hit].self).pointee
              .append(Hit(literal: number, end: Int(end)))
            return 0
          },
          hits
        )
      }
    }
    precondition(status == HS_SUCCESS, "a scan with a live database and scratch cannot fail")
  }
}
