import Glibc
import Testing
import TideCore

@testable import TideEngineNIO

@Suite("A claim on ports")
struct PortClaimTests {
  private let anywhere = ListenAddress(address: .v4(0x7F00_0001), port: 0)

  @Test("Port 0 becomes the kernel's; nobody else has it, and a client is refused")
  func held() throws {
    let claim = try PortClaim([self.anywhere, self.anywhere])
    let (first, second) = (claim.addresses[0], claim.addresses[1])
    #expect(first.port != 0 && second.port != 0 && first.port != second.port)
    let failure = #expect(throws: EngineFailure.self) { try PortClaim([first]) }
    #expect(failure?.description.contains("\(first): the port is in use") == true)
    #expect(throws: TCP.Failure.self) {
      let (dialled, _) = try TCP.connect(to: first.address, port: first.port)
      defer { TCP.close(dialled) }
      try TCP.finishConnect(dialled)
    }
  }

  @Test("Our loops listen beside it, and no other proxy, before it goes and after")
  func listening() throws {
    var claim: PortClaim? = try PortClaim([self.anywhere])
    let address = try #require(claim?.addresses.first)
    let loops = [try TCP.listen(on: address), try TCP.listen(on: address)]
    defer { for loop in loops { TCP.close(loop) } }
    #expect(throws: EngineFailure.self) { try PortClaim([address]) }
    claim = nil
    #expect(throws: EngineFailure.self) { try PortClaim([address]) }
    let (client, _) = try TCP.connect(to: address.address, port: address.port)
    TCP.close(client)
  }

  @Test("A claim that goes, and one of which an address cannot be had, leaves the ports free")
  func freed() throws {
    let free = try PortClaim([self.anywhere]).addresses[0]
    let taken = try PortClaim([self.anywhere])
    #expect(throws: EngineFailure.self) { try PortClaim([free, taken.addresses[0]]) }
    #expect(try PortClaim([free]).addresses == [free])
  }

  @Test("One port at several addresses, the unspecified ones of both families too")
  func oneAtSeveral() throws {
    let port = try PortClaim([self.anywhere]).addresses[0].port
    let wanted = [
      ListenAddress(address: .v4(0), port: port), ListenAddress(address: .v6(0), port: port),
    ]
    let claim = try PortClaim(wanted)
    #expect(claim.addresses == wanted)
    let loops = try wanted.map { try TCP.listen(on: $0) }
    for loop in loops { TCP.close(loop) }
  }

  @Test("Another proxy at one of several addresses is found")
  func oneIsTaken() throws {
    let other = try PortClaim([self.anywhere])
    let port = other.addresses[0].port
    let listener = try TCP.listen(on: other.addresses[0])
    defer { TCP.close(listener) }
    let elsewhere = ListenAddress(address: .v4(0x7F00_0002), port: port)
    #expect(throws: EngineFailure.self) { try PortClaim([elsewhere, other.addresses[0]]) }
    #expect(throws: EngineFailure.self) {
      try PortClaim([elsewhere, ListenAddress(address: .v4(0), port: port)])
    }
  }
}
