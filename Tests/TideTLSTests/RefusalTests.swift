import Testing
import TideCore

@testable import TideTLS

@Suite struct RefusalTests {
  @Test(
    "A refusal answers a hello with its fatal alert and nothing else",
    arguments: [40, 46, 48, 112, 120]
  )
  func emitsItsAlert(alert: UInt8) throws {
    let root = try TestIdentity.authority("root")
    let client = try TLSSession.client(
      TLSClientContext(roots: .pem(root.pem)),
      host: host("server.example"),
      applicationProtocols: ["h2"]
    )
    let refusal = try TLSSession.refusal(TLSServerContext(), alert: alert)
    let pair = SessionPair(client: client, server: refusal)
    let hello = client.takeOutput()
    try refusal.receive(hello, &pair.serverReceived)
    let answer = refusal.takeOutput()
    #expect(answer.count == 7)
    #expect(answer.array[0] == 21)
    #expect(answer.array[5...] == [2, alert])
    let failure = #expect(throws: TLSFailure.self) {
      try client.receive(answer, &pair.clientReceived)
    }
    #expect(failure?.code == .alert)
    #expect(failure?.alert == alert)
    #expect(failure?.detail.contains(alertName(alert)) == true)
    #expect(!refusal.isEstablished)
    #expect(leftOverError == 0)
  }

  @Test("A refusal waits for the whole hello, and fails if it is not one")
  func incomplete() throws {
    let servers = try TLSServerContext()
    var plaintext: [Bytes] = []
    let waiting = try TLSSession.refusal(servers, alert: 48)
    try waiting.receive(Bytes([0x16, 3, 1]), &plaintext)
    #expect(!waiting.hasOutput)
    let wrong = try TLSSession.refusal(servers, alert: 48)
    let failure = #expect(throws: TLSFailure.self) {
      try wrong.receive("GET / HTTP/1.1\r\n\r\n", &plaintext)
    }
    #expect(failure?.code == .handshake)
    #expect(leftOverError == 0)
  }
}
