import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore

/// The options that say which configuration holds, shared by the commands.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    name: [.customShort("c"), .long],
    help: "The configuration; tidewaiter.yaml in this folder if it is there, else the defaults."
  )
  var config: String?

  /// The configuration that holds: the file, then the environment.
  func load() throws -> Configuration {
    var configuration = Configuration.defaults
    let path = self.config ?? "tidewaiter.yaml"
    if self.config != nil || FileManager.default.fileExists(atPath: path) {
      let text = try TextFile.read(path, what: "the configuration")
      do {
        configuration = try Configuration(yaml: text, path: path)
      } catch {
        throw CommandFailure(.usage, error.description)
      }
    }
    do {
      try configuration.apply(
        environment: ProcessInfo.processInfo.environment,
        except: ["TIDEWAITER_BIN"]
      )
    } catch {
      throw CommandFailure(.usage, error.description)
    }
    return configuration
  }
}

/// Files of the operator's that are read whole.
enum TextFile {
  /// Reads a text of at most 1 MiB.
  static func read(_ path: String, what: String) throws(CommandFailure) -> String {
    String(decoding: try self.bytes(path, what: what, limit: 1 << 20), as: UTF8.self)
  }

  /// Reads a file of at most `limit` bytes.
  static func bytes(_ path: String, what: String, limit: Int) throws(CommandFailure) -> [UInt8] {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw CommandFailure(.usage, "\(path): cannot read \(what): \(Self.reason())")
    }
    defer { try? handle.close() }
    let data: Data?
    do {
      data = try handle.read(upToCount: limit + 1)
    } catch {
      throw CommandFailure(.usage, "\(path): cannot read \(what): \(error.localizedDescription)")
    }
    let bytes = [UInt8](data ?? Data())
    guard bytes.count <= limit else {
      throw CommandFailure(.usage, "\(path): more than \(limit) bytes is too much for \(what)")
    }
    return bytes
  }

  private static func reason() -> String { unsafe String(cString: strerror(errno)) }
}
