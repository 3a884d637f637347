import TideCore

@testable import TideProxy

/// A scanner that says nothing by itself: playbooks answer in its place.
struct FakeScanner: Scanner {
  var name = "av"
  var directions: Set<Direction> = [.request, .response]
  var onError = ScanErrorPolicy.block
  var timeout: UInt64 = 5_000_000_000

  func scan(
    _ request: ScanRequest,
    _ answer: @escaping @Sendable (Result<ScanAnswer, FlowFailure>) -> Void
  ) {}
}

extension Playbook {
  /// The scanner that was asked last answers.
  func scanner(_ verdict: ScanAnswer.Verdict = .pass, findings: [ScanFinding] = []) {
    guard let scan = self.scans.last else { return }
    self.give(.scanned(scan.id, .success(ScanAnswer(findings: findings, verdict: verdict))))
  }

  func scannerFails(_ detail: String = "connection refused") {
    guard let scan = self.scans.last else { return }
    let failure = FlowFailure(.connectionRefused, origin: .internal, detail: detail)
    self.give(.scanned(scan.id, .failure(failure)))
  }
}
