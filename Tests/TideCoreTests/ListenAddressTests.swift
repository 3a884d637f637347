import TideCore
import Testing

@Suite struct ListenAddressTests {
  @Test(
    "An address and a port read back as they are written",
    arguments: ["0.0.0.0:8080", "127.0.0.1:0", "[::1]:8080", "[2001:db8::1]:65535"]
  )
  func reads(text: String) {
    #expect(ListenAddress(text)?.description == text)
  }

  @Test(
    "Names, missing parts and bare IPv6 are refused",
    arguments: [
      "", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+1",
      "localhost:80", "::1:8080", "[127.0.0.1]:80", "[::1]", "[::1:80", "127.1:80",
      "192.0.2.1:080808",
    ]
  )
  func refuses(text: String) {
    #expect(ListenAddress(text) == nil)
  }
}
