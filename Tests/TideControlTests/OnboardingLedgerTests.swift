import Testing
import TideCore

@testable import TideControl

@Suite struct OnboardingLedgerTests {
  private let device = IPAddress.v4(0xC000_0217)

  @Test("A device never falls back, whatever comes later")
  func monotonic() {
    let ledger = OnboardingLedger()
    #expect(ledger.status(of: self.device) == OnboardingStatus(progress: .reached, rejections: 0))
    ledger.note(.certificateTrusted, of: self.device)
    ledger.note(.reached, of: self.device)
    #expect(ledger.status(of: self.device).progress == .certificateTrusted)
  }

  @Test("A rejected certificate is counted and proves that the proxy is used")
  func rejection() {
    let ledger = OnboardingLedger()
    ledger.noteRejection(by: self.device)
    ledger.noteRejection(by: self.device)
    #expect(
      ledger.status(of: self.device) == OnboardingStatus(progress: .throughProxy, rejections: 2)
    )
  }

  @Test("An IPv4 device is the same device on a socket that speaks IPv6")
  func mapped() throws {
    let ledger = OnboardingLedger()
    ledger.note(.throughProxy, of: try #require(IPAddress("::ffff:192.0.2.23")))
    #expect(ledger.status(of: self.device).progress == .throughProxy)
  }

  @Test("When the ledger is full, the device seen least recently is forgotten")
  func bounded() {
    let ledger = OnboardingLedger()
    let devices = (0..<UInt32(OnboardingLedger.capacity)).map { IPAddress.v4(0xCB00_0000 + $0) }
    for device in devices { ledger.note(.throughProxy, of: device) }
    ledger.note(.reached, of: devices[0])
    ledger.note(.throughProxy, of: self.device)
    #expect(ledger.status(of: devices[0]).progress == .throughProxy)
    #expect(ledger.status(of: devices[1]).progress == .reached)
    #expect(ledger.status(of: self.device).progress == .throughProxy)
  }
}
