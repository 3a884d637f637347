import Foundation
import TideConfig
import TideCore
import TideCrypto
import TideRegion

/// Reads the region databases of a configuration.
enum RegionLoader {
  /// The most bytes of a text database; tor-geoipdb's larger file has some 20 MB.
  private static let limit = 256 << 20

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
      if path.hasSuffix(".mmdb") {
        let bytes = try Self.bytes(path)
        return .maxMind(
          try MaxMindDatabase(path: path, sha256: ASCII.hex(Digest.sha256.hash(bytes)))
        )
      }
      let bytes = try Self.bytes(path)
      return .ranges(
        try RangeList(
          parsing: bytes,
          name: (path as NSString).lastPathComponent,
          sha256: ASCII.hex(Digest.sha256.hash(bytes))
        )
      )
    } catch {
      throw CommandFailure(.usage, "region database \(path): \(error.description)")
    }
  }

  private static func bytes(_ path: String) throws(RegionFailure) -> Bytes {
    do throws(CommandFailure) {
      return Bytes(try TextFile.bytes(path, what: "the region database", limit: Self.limit))
    } catch {
      throw RegionFailure(.unreadable, source: path, detail: error.message)
    }
  }
}
