import Support
import TideCore
import TideProxy

@testable import TideScan

/// A question to a service, and how it offers itself: the bits of one byte.
struct Asked {
  let contentLimit: Int
  private let request: ScanRequest
  private let settings: ICAPSettings
  private let hasPreview: Bool

  init(_ bits: UInt8) {
    self.contentLimit = bits & 1 == 0 ? 4_096 : 32
    self.hasPreview = bits & 2 != 0
    let isResponse = bits & 4 != 0
    let head = MessageHead(
      start: .request(method: "POST", target: "/a.bin"),
      fields: HeaderFields([("Host", "a.example"), ("Content-Type", "text/plain")])
    )
    let response = MessageHead(
      start: .response(status: 200, reason: "OK"),
      fields: HeaderFields([("Content-Type", "text/plain")])
    )
    guard let client = IPAddress("192.0.2.1") else { fail("no address") }
    self.request = ScanRequest(
      scanner: 0,
      flow: FlowID(1),
      device: "device",
      client: client,
      direction: isResponse ? .response : .request,
      url: "https://a.example/a.bin",
      request: head,
      response: isResponse ? response : nil,
      content: bits & 8 == 0 ? "some content" : ""
    )
    self.settings = ICAPSettings(
      name: "lab",
      host: "192.0.2.2",
      port: 1_344,
      service: "/scan",
      direction: isResponse ? .response : .request,
      timeout: 1,
      onError: .block
    )
  }

  /// What is made of a response: of what the service can do, and of a verdict.
  func judge(_ response: ICAPResponse) {
    if let options = self.options(response) {
      _ = options.transfer(of: self.request.url)
      require(options.preview ?? 0 <= 1 << 20, "a preview of \(options.preview ?? 0) bytes")
      require(options.maxConnections ?? 1 >= 1, "no connections")
      require(options.lifetime >= 1, "no lifetime")
    }
    guard let verdict = self.verdict(response) else { return }
    switch verdict {
    case .pass: break
    case .refuse(let reason): require(!reason.isEmpty, "refused without a reason")
    case .replace(let head, let content):
      require(content == response.content, "other content")
      switch (self.request.direction, head.start) {
      case (.request, .request(let method, let target)):
        require(method == self.request.request.method, "another method")
        require(target.elementsEqual(self.request.url.utf8) || target == "/a.bin", "another target")
      case (.response, .response): break
      case (.request, .response), (.response, .request): fail("a message of the other direction")
      }
    }
  }

  /// One exchange: sends the rest of the content once at most, and is over once.
  func play(_ input: Bytes, _ cut: Cut) {
    var options = ICAPOptions()
    if self.hasPreview { options.preview = 4 }
    var exchange = ICAPExchange(
      self.request,
      to: self.settings,
      options,
      contentLimit: self.contentLimit
    )
    var sent = 0
    do throws(ScanFailure) {
      for piece in cut.pieces(input) {
        switch try exchange.receive(piece) {
        case .wait: break
        case .send(let bytes):
          sent += 1
          require(self.hasPreview && !self.request.content.isEmpty, "sends what was not kept back")
          require(bytes.count > 5, "sends nothing")
        case .done(let response, let isReusable):
          require(response.status != 100, "over with 100")
          require(!isReusable || !exchange.hasBegun, "reused with bytes left")
          return
        }
        require(sent <= 1, "sends the rest again")
      }
    } catch {
      require(!error.detail.isEmpty, "failed without a reason")
    }
  }

  private func options(_ response: ICAPResponse) -> ICAPOptions? {
    do throws(ScanFailure) {
      return try ICAPOptions(response, for: self.settings.method)
    } catch {
      return nil
    }
  }

  private func verdict(_ response: ICAPResponse) -> ScanAnswer.Verdict? {
    do throws(ScanFailure) {
      return try ICAPVerdict.of(response, to: self.request).verdict
    } catch {
      return nil
    }
  }
}
