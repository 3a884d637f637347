import TideCore
import TideTLS

/// How a device refused the leaf that it was shown.
enum LeafRefusal: Equatable {
  /// With an alert about the certificate or its issuer.
  case certificate(alert: UInt8)
  /// With one that says that the leaf is outside its time.
  case time(alert: UInt8)
  /// With one about versions, suites or parameters.
  case parameters(alert: UInt8)
  /// It ended the handshake, or the session before it had said anything, without a word; `prompt` if that
  /// was so soon after our leaf that the leaf is the likely cause.
  case silence(prompt: Bool)
  /// By something that tells nothing of the leaf.
  case other

  /// How soon a device has made up its mind.
  static let promptness: UInt64 = 3_000_000_000

  /// Reads an alert (RFC 8446 §6.2).
  ///
  /// `internal_error` and `user_canceled` are what some apps send whose own check of the certificate failed;
  /// close_notify in the handshake is a close without a reason.
  init(alert: UInt8) {
    switch alert {
    case 45: self = .time(alert: alert)
    case 41, 42, 43, 44, 46, 48, 49, 51, 80, 90, 113: self = .certificate(alert: alert)
    case 40, 47, 70, 71, 86, 109, 110, 120: self = .parameters(alert: alert)
    case 0: self = .silence(prompt: true)
    default: self = .other
    }
  }

  /// The alert's name, or what happened in place of one.
  var words: String {
    switch self {
    case .certificate(let alert), .time(let alert), .parameters(let alert): alertName(alert)
    case .silence: "closed without an alert"
    case .other: "broken off"
    }
  }
}

/// What a refusal means, in the light of what else is known of the device.
struct RefusalReport {
  /// The class.
  let kind: Coverage
  /// For people: one clause.
  let detail: String
  /// Whether the host is relayed undecrypted for this device from now on.
  let isLearned: Bool
}
