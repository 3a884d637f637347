import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The one table from what went wrong to what the device is told.
extension FlowFailure.Code {
  /// The status of the answer (RFC 9110 §15; 451 is RFC 7725).
  var status: Int {
    switch self {
    case .malformedMessage, .ambiguousFraming, .malformedTarget, .badHello: 400
    case .specialUse, .loop, .opaque, .refusedByRule: 403
    case .authenticationRequired: 407
    case .misdirected, .fronting: 421
    case .headTooLarge: 431
    case .blockedByRule, .notRedactable: 451
    case .internalError: 500
    case .nameNotFound, .connectionRefused, .wrongPeer, .untrustedUpstream, .upstreamHandshake,
      .clientHandshake, .truncated:
      502
    case .overLimit, .shutdown: 503
    case .resolverFailed, .connectTimeout, .idleTimeout, .responseTimeout: 504
    }
  }
}

extension FlowFailure {
  /// The status of the answer: what would be the device's mistake is a bad gateway if the server made it.
  var status: Int {
    let status = self.code.status
    return self.origin == .upstream && (400..<500).contains(status) ? 502 : status
  }

  /// What a broken message means for its flow.
  init(_ error: HTTPFailure, origin: Origin) {
    let code: Code
    switch error.code {
    case .ambiguousFraming: code = .ambiguousFraming
    case .headTooLarge: code = .headTooLarge
    case .truncated: code = .truncated
    case .malformedTarget: code = .malformedTarget
    case .unsendable: code = .internalError
    case .flood: code = .overLimit
    case .malformedHead, .malformedChunk, .malformedFrame, .unexpectedBytes, .unsupported:
      code = .malformedMessage
    }
    self.init(code, origin: origin, detail: error.detail)
  }

  /// What a refused destination means for its flow.
  init(_ refusal: ConnectRefusal) {
    switch refusal {
    case .rule(let rule):
      self.init(.refusedByRule, origin: .internal, detail: "refused by rule \(rule)")
    case .specialUse(let address, let use):
      self.init(
        .specialUse,
        origin: .internal,
        detail: "\(address) is a \(use) address and not in upstream.allow_special_use"
      )
    case .loop(let address):
      self.init(.loop, origin: .internal, detail: "\(address) is this proxy")
    case .noAddress:
      self.init(.nameNotFound, origin: .upstream, detail: "the name has no address")
    }
  }
}

extension ConnectRefusal {
  var rule: RuleID? {
    switch self {
    case .rule(let rule): rule
    case .specialUse, .loop, .noAddress: nil
    }
  }
}

extension ConnectDecision.Outcome {
  /// The decision's name in records.
  var name: String {
    switch self {
    case .dial: "dial"
    case .sinkhole: "sinkhole"
    case .refuse: "refuse"
    }
  }
}

/// The phrases of the status codes that we send ourselves.
enum ReasonPhrase {
  static func of(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 204: "No Content"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 407: "Proxy Authentication Required"
    case 421: "Misdirected Request"
    case 431: "Request Header Fields Too Large"
    case 451: "Unavailable For Legal Reasons"
    case 500: "Internal Server Error"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    default: "Status"
    }
  }
}
