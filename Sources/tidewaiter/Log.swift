import Foundation
import TideConfig
import TideCore

/// The program's own log: one line an event on standard error, never payload, credentials or keys.
struct Log: Sendable {
  private let settings: Configuration.Log

  init(_ settings: Configuration.Log) { self.settings = settings }

  func error(_ message: String) { self.write(.error, message) }
  func notice(_ message: String) { self.write(.notice, message) }
  func info(_ message: String) { self.write(.info, message) }

  private func write(_ level: Configuration.Log.Level, _ message: String) {
    let order = Configuration.Log.Level.allCases
    guard let wanted = order.firstIndex(of: self.settings.level),
      let this = order.firstIndex(of: level), this >= wanted
    else { return }
    let time = CAStore.now().rfc3339
    switch self.settings.format {
    case .text: Terminal.error("\(time) \(level.rawValue) \(message)")
    case .json:
      let line = ["time": time, "level": level.rawValue, "message": message]
      // Strings alone always encode.
      Terminal.error((try? JSONText.encode(line)) ?? message)
    }
  }
}
