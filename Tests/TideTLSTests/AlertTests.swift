import Testing
import TideTLS

@Suite struct AlertTests {
  @Test("The client of an untrusted upstream is told what was wrong with it")
  func untrusted() {
    let alerts: [Int: UInt8] = [
      10: 45, 9: 45, 18: 48, 19: 48, 20: 48, 21: 48, 28: 48, 79: 48, 23: 44, 62: 46, 64: 46,
      66: 42, 68: 42, 7: 42, 73: 113, 74: 113,
    ]
    for (error, alert) in alerts {
      let failure = TLSFailure(.untrusted, detail: "", alert: 48, verifyError: error)
      #expect(alertForClient(failure) == alert, "verify error \(error)")
    }
  }

  @Test("An upstream's alert is passed on only where the client's own offer may be its cause")
  func mirrored() {
    for code in [TLSFailure.Code.alert, .handshake] {
      for (alert, shown): (UInt8?, UInt8) in [
        (70, 70), (71, 71), (112, 112), (120, 120), (40, 40), (42, 40), (80, 40), (116, 40),
        (nil, 40),
      ] {
        #expect(alertForClient(TLSFailure(code, detail: "", alert: alert)) == shown)
      }
    }
    #expect(alertForClient(TLSFailure(.protocol, detail: "", alert: 20)) == 40)
    #expect(alertForClient(TLSFailure(.internal, detail: "")) == 80)
    #expect(alertForClient(TLSFailure(.certificate, detail: "")) == 80)
  }

  @Test("Alerts have the names of the RFCs")
  func names() {
    #expect(alertName(48) == "unknown_ca")
    #expect(alertName(112) == "unrecognized_name")
    #expect(alertName(120) == "no_application_protocol")
    #expect(alertName(200) == "alert_200")
  }
}
