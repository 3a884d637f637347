internal import Foundation
public import TideCore

/// What is asked over the control socket: one JSON object on one line.
public enum ControlRequest: Hashable, Sendable {
  /// Put a phase mark into the case.
  case mark(String)
  /// Load rules, devices and regions anew.
  case reload
  /// Stop and seal.
  case stop
  /// Say what is going on.
  case status
  /// Say which hosts are relayed undecrypted because devices refuse to have them intercepted.
  case passthroughs
  /// Intercept a host again that is relayed, for one device or for all.
  case revoke(TideCore.Host, device: String?)

  /// The most bytes of a mark.
  private static let markLimit = 1_024

  private struct Wire: Codable {
    var command: String
    var text: String?
    var host: String?
    var device: String?
  }

  /// Reads a request's line.
  init(line: Bytes) throws(ControlFailure) {
    guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(line.array)) else {
      throw ControlFailure(.malformed, "a request is one JSON object with a command")
    }
    switch wire.command {
    case "mark": self = .mark(try Self.mark(wire.text ?? ""))
    case "reload": self = .reload
    case "stop": self = .stop
    case "status": self = .status
    case "passthrough": self = .passthroughs
    case "revoke": self = .revoke(try Self.host(wire.host ?? ""), device: wire.device)
    default:
      throw ControlFailure(
        .malformed,
        "unknown command \"\(wire.command.prefix(32))\"; there are mark, reload, stop, status, "
          + "passthrough and revoke"
      )
    }
  }

  /// The request's line.
  var line: Bytes {
    switch self {
    case .mark(let text): JSONLine.encode(Wire(command: "mark", text: text))
    case .reload: JSONLine.encode(Wire(command: "reload"))
    case .stop: JSONLine.encode(Wire(command: "stop"))
    case .status: JSONLine.encode(Wire(command: "status"))
    case .passthroughs: JSONLine.encode(Wire(command: "passthrough"))
    case .revoke(let host, let device):
      JSONLine.encode(Wire(command: "revoke", host: host.description, device: device))
    }
  }

  private static func host(_ text: String) throws(ControlFailure) -> TideCore.Host {
    guard let host = TideCore.Host(text) else {
      throw ControlFailure(.malformed, "revoke needs a host: a name or an address")
    }
    return host
  }

  /// A mark ends up in terminals and reports, so it is one line of text.
  private static func mark(_ text: String) throws(ControlFailure) -> String {
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    let isPlain = trimmed.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard !trimmed.isEmpty, isPlain, trimmed.utf8.count <= Self.markLimit else {
      throw ControlFailure(
        .malformed,
        "a mark is one line of 1 to \(Self.markLimit) bytes without control characters"
      )
    }
    return trimmed
  }
}

/// What the proxy answers, if it did not refuse.
public struct ControlReply: Hashable, Sendable {
  /// What was done, for people; empty if there is nothing to say.
  public let message: String
  /// What is going on, for `status`; else empty.
  public let status: [String: ControlValue]
  /// What is relayed, for `passthroughs`; else empty.
  public let passthroughs: [ControlPassthrough]

  private struct Wire: Codable {
    var ok: Bool
    var message: String
    var status: [String: ControlValue]?
    var passthroughs: [ControlPassthrough]?
  }

  /// Joins a reply.
  init(
    message: String = "",
    status: [String: ControlValue] = [:],
    passthroughs: [ControlPassthrough] = []
  ) {
    self.message = message
    self.status = status
    self.passthroughs = passthroughs
  }

  /// Reads a reply's line.
  ///
  /// - Throws: `.refused` with the proxy's reason, `.malformed` for what is no reply.
  init(line: Bytes) throws(ControlFailure) {
    guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(line.array)) else {
      throw ControlFailure(.malformed, "the reply is not one of Tidewaiter's")
    }
    guard wire.ok else { throw ControlFailure(refusing: wire.message) }
    self.init(
      message: wire.message,
      status: wire.status ?? [:],
      passthroughs: wire.passthroughs ?? []
    )
  }

  /// The reply's line.
  var line: Bytes {
    JSONLine.encode(
      Wire(
        ok: true,
        message: self.message,
        status: self.status.isEmpty ? nil : self.status,
        passthroughs: self.passthroughs.isEmpty ? nil : self.passthroughs
      )
    )
  }

  /// The line that says no.
  static func refusal(_ failure: ControlFailure) -> Bytes {
    JSONLine.encode(Wire(ok: false, message: failure.detail))
  }
}
