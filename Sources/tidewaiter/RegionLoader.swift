import Foundation
import TideConfig
import TideCore
import TideCrypto
import TideRegion

/// Reads the region databases of a configuration.
enum RegionLoader {
  static func load(_ configuration: Configuration) throws(CommandFailure) -> RegionTable {
    var databases: [RegionDatabase] = []
    for path in configuration.regions.databases {
      databases.append(try self.database(path))
    }
    return RegionTable(
      databases: databases,
      sets: configuration.regions.sets
    )
  }

  /// As much of it as there is: rules can be checked where a database is missing.
  static func loadWhatIsThere(
    _ configuration: Configuration,
    _ warnings: inout [String]
  ) -> RegionTable {
    var databases: [RegionDatabase] = []
    for path in configuration.regions.databases {
      do throws(CommandFailure) {
        databases.append(try self.database(path))
      } catch {
        warnings.append(error.message)
      }
    }
    return RegionTable(databases: databases, sets: configuration.regions.sets)
  }

  private static func database(_ path: String) throws(CommandFailure) -> RegionDatabase {
    guard FileManager.default.isReadableFile(atPath: path) else {
      let advice =
        path.hasPrefix("/usr/share/tor/")
        ? "install it (apt-get install tor-geoipdb), or name another in regions.databases"
        : "regions.databases names it"
      throw CommandFailure(.usage, "\(path): no such region database; \(advice)")
    }
    do throws(RegionFailure) {
      let file = try DatabaseFile(path)
      if path.hasSuffix(".mmdb") {
        let digest = try file.read { _ in }
        return .maxMind(try MaxMindDatabase(path: path, sha256: digest))
      }
      var parser = RangeListParser(name: (path as NSString).lastPathComponent, size: file.size)
      let digest = try file.read { (block) throws(RegionFailure) in try parser.read(block) }
      return .ranges(try parser.finish(sha256: digest))
    } catch {
      throw CommandFailure(.usage, "region database \(path): \(error.description)")
    }
  }
}

/// A region database on the disk, read block by block: the larger of tor-geoipdb's has 16 MB.
private struct DatabaseFile: ~Copyable {
  private static let largest = 256 << 20
  private static let block = 256 << 10

  private let path: String
  private let descriptor: Int32
  /// How many bytes it has.
  let size: Int

  init(_ path: String) throws(RegionFailure) {
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure(path, unsafe String(cString: strerror(errno))) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_size <= Self.largest else {
      close(descriptor)
      throw Self.failure(path, "more than \(Self.largest) bytes is too much for a region database")
    }
    self.path = path
    self.descriptor = descriptor
    self.size = status.st_size
  }

  deinit { close(self.descriptor) }

  /// Hands over each block in turn, and returns the SHA-256 of all in hexadecimal.
  func read(_ body: (Span<UInt8>) throws(RegionFailure) -> Void) throws(RegionFailure) -> String {
    var hasher = SHA256Hasher()
    var room = [UInt8](repeating: 0, count: Self.block)
    while true {
      let count = unsafe Glibc.read(self.descriptor, &room, room.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw Self.failure(self.path, unsafe String(cString: strerror(errno)))
      }
      guard count > 0 else { return ASCII.hex(hasher.finish()) }
      let block = room.span.extracting(0..<count)
      hasher.update(block)
      try body(block)
    }
  }

  private static func failure(_ path: String, _ reason: String) -> RegionFailure {
    RegionFailure(.unreadable, source: (path as NSString).lastPathComponent, detail: reason)
  }
}
