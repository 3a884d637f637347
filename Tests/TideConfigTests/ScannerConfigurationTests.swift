import Testing
import TideCore

@testable import TideConfig

@Suite("inspect.icap and inspect.processes") struct ScannerConfigurationTests {
  private func read(_ yaml: String) throws -> Configuration {
    try Configuration(yaml: yaml, path: "t.yaml")
  }

  @Test("Services and programs are read with their defaults")
  func read() throws {
    let configuration = try self.read(
      """
      inspect:
        icap:
          - { name: av, url: "icap://127.0.0.1/avscan?allow204=on", mode: respmod }
          - { name: dlp, url: "icap://[::1]:11344/dlp", mode: reqmod, timeout: 2s, on_error: bypass }
        processes:
          - { name: words, command: [python3, words.py, ""] }
          - { name: more, command: ./more, direction: request, kinds: [project_name], on_error: block }
      """
    )
    let icap = configuration.inspect.icap
    #expect(icap.map(\.name) == ["av", "dlp"])
    #expect(icap.map(\.host) == ["127.0.0.1", "::1"])
    #expect(icap.map(\.port) == [1_344, 11_344])
    #expect(icap.map(\.service) == ["/avscan?allow204=on", "/dlp"])
    #expect(icap.map(\.mode) == [.respmod, .reqmod])
    #expect(icap.map(\.timeout) == [5_000_000_000, 2_000_000_000])
    #expect(icap.map(\.onError) == [nil, .bypass])
    let processes = configuration.inspect.processes
    #expect(processes.map(\.command) == [["python3", "words.py", ""], ["./more"]])
    #expect(processes.map(\.directions) == [[.request, .response], [.request]])
    #expect(processes.map(\.onError) == [nil, .block])
    #expect(configuration.scannerKinds == ["scanner", "project_name"])
    #expect(try self.read("mode: record").scannerKinds.isEmpty)
  }

  @Test("What is missing, unknown or no address is told with its place")
  func problems() {
    let yaml = """
      inspect:
        icap:
          - { name: av, url: "http://127.0.0.1/", mode: respmod }
          - { name: av, url: "icaps://av.example/x", mode: both }
          - { url: "icap://av.example:99999/", mode: reqmod, tmeout: 5s }
          - av
        processes:
          - { name: a }
          - { name: B, command: [], direction: up, kinds: [No] }
      """
    let found = TideConfigTests.problems(configuration: yaml)
    for expected in [
      "3:24: inspect.icap.url: expected an address such as icap://127.0.0.1:1344/avscan",
      "4:24: inspect.icap.url: \"icaps://av.example/x\" is ICAP over TLS",
      "4:54: inspect.icap.mode: expected reqmod or respmod",
      "5:7: the key \"inspect.icap.name\" is missing",
      "5:14: inspect.icap.url: expected an address",
      "unknown key \"tmeout\" under inspect.icap; did you mean \"timeout\"?",
      "6:7: inspect.icap: expected {",
      "8:7: the key \"inspect.processes.command\" is missing",
      "9:15: inspect.processes.name: expected a name",
      "9:27: inspect.processes.command: the list is empty",
      "9:42: inspect.processes.direction: expected request or response",
      "9:54: inspect.processes.kinds: expected a kind",
    ] {
      #expect(found.contains { $0.contains(expected) }, "\(expected) in \(found)")
    }
  }

  @Test("Two scanners of one name would be one in every record")
  func twice() {
    let yaml = """
      inspect:
        icap: [{ name: a, url: "icap://av.example/x", mode: reqmod }]
        processes: [{ name: a, command: [x] }]
      """
    #expect(
      TideConfigTests.problems(configuration: yaml).contains {
        $0.contains("\"a\" names two scanners")
      }
    )
  }
}
