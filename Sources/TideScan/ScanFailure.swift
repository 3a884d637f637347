import TideCore

/// Why a scanner could not look at a message.
struct ScanFailure: Error, Hashable, Sendable {
  /// What went wrong.
  enum Code: Hashable, Sendable {
    /// It cannot be reached, or went away.
    case unavailable
    /// It did not answer in time.
    case timeout
    /// It said what makes no sense.
    case malformed
    /// It says that it cannot do this.
    case refused
    /// A limit of ours was reached.
    case overLimit
    /// The proxy is stopping.
    case stopping
  }

  let code: Code
  /// For people: one clause, at most 64 bytes of what it said.
  let detail: String

  init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  /// What it means for the flow.
  var flowFailure: FlowFailure {
    let code: FlowFailure.Code =
      switch self.code {
      case .unavailable: .connectionRefused
      case .timeout: .responseTimeout
      case .malformed, .refused: .internalError
      case .overLimit: .overLimit
      case .stopping: .shutdown
      }
    return FlowFailure(code, origin: .internal, detail: self.detail)
  }

  /// A few of a peer's bytes, safe to show: at most 64 characters, none of them a control.
  static func quoted(_ text: some Sequence<UInt8>) -> String {
    let shown = text.prefix(64).map { $0 < 0x20 || $0 > 0x7E ? 0x3F : $0 }
    return String(decoding: shown, as: UTF8.self)
  }
}
