import Glibc
import Synchronization
import Testing
import TideCore

@testable import TideControl

/// A port that remembers what was asked of it.
private final class FakePort: ControlPort {
  private let calls = Mutex<[String]>([])
  private let reloadFailure: String?
  private let untrusting: [String]

  init(reloadFailure: String? = nil, untrusting: [String] = []) {
    self.reloadFailure = reloadFailure
    self.untrusting = untrusting
  }

  var asked: [String] { self.calls.withLock { $0 } }

  func mark(_ text: String) throws(ControlFailure) { self.note("mark \(text)") }

  func reload() throws(ControlFailure) -> String {
    self.note("reload")
    if let reloadFailure { throw ControlFailure(refusing: reloadFailure) }
    return "3 rules"
  }

  func stop() { self.note("stop") }

  func status() -> [String: ControlValue] {
    [
      "mode": .text("record"), "flows": .number(7), "sealed": .flag(false),
      "listeners": .list(["127.0.0.1:8080"]), "untrusting": .list(self.untrusting),
    ]
  }

  func passthroughs() -> [ControlPassthrough] { [Self.relayed] }

  static var relayed: ControlPassthrough {
    ControlPassthrough(
      device: "redmi",
      host: .address(.v6(0x2001_0db8_0000_0000_0000_0000_0000_0001)),
      until: WallTime(seconds: 1_800_000_000)
    )
  }

  func revoke(host: Host, device: String?) throws(ControlFailure) -> String {
    self.note("revoke \(host) \(device ?? "-")")
    guard host.isName else { throw ControlFailure(refusing: "\(host) is not relayed") }
    return "intercepted again"
  }

  private func note(_ call: String) { self.calls.withLock { $0.append(call) } }
}

@Suite struct ControlSocketTests {
  private let folder: ScratchFolder
  private var path: String { self.folder.path + "/control.sock" }

  init() throws { self.folder = try ScratchFolder() }

  /// What the server says to `line`, sent as it is; empty if it just hangs up.
  private func raw(_ line: Bytes) throws -> String {
    let socket = try UnixSocket.connect(to: self.path)
    var rest = line
    var reply = Bytes()
    while true {
      if !rest.isEmpty, case .moved(let count) = UnixSocket.write(socket, rest) {
        rest = rest.dropping(first: count)
        continue
      }
      let events = rest.isEmpty ? POLLIN : POLLIN | POLLOUT
      _ = UnixSocket.wait(for: [(socket, events)], timeout: .seconds(5))
      switch UnixSocket.read(socket, into: &reply) {
      case .moved, .wait: continue
      case .closed: return reply.text
      }
    }
  }

  @Test("Each command reaches the port, and its answer reaches whoever asked")
  func commands() throws {
    let port = FakePort()
    let server = try ControlServer(socketPath: self.path, port: port)
    defer { server.stop() }
    #expect(self.folder.mode("control.sock") == 0o600)
    let mark = try ControlClient.send(.mark(" SIM inserted\n"), socketPath: self.path)
    #expect(mark.message == "marked")
    #expect(try ControlClient.send(.reload, socketPath: self.path).message == "3 rules")
    #expect(try ControlClient.send(.status, socketPath: self.path).status == port.status())
    #expect(try ControlClient.send(.stop, socketPath: self.path).message == "stopping")
    server.stop()
    #expect(port.asked == ["mark SIM inserted", "reload", "stop"])
    #expect(try self.folder.names().isEmpty)
  }

  @Test("What is relayed is listed, and taken back by host, for a device or for all")
  func passthroughs() throws {
    let port = FakePort()
    let server = try ControlServer(socketPath: self.path, port: port)
    defer { server.stop() }
    let reply = try ControlClient.send(.passthroughs, socketPath: self.path)
    #expect(reply.passthroughs == [FakePort.relayed])
    #expect(reply.passthroughs.first?.until == "2027-01-15T08:00:00.000000Z")
    let name = try #require(Host("Pinned.Example"))
    let message = try ControlClient.send(
      .revoke(name, device: "redmi"),
      socketPath: self.path
    ).message
    #expect(message == "intercepted again")
    let address = try #require(Host(FakePort.relayed.host))
    let failure = #expect(throws: ControlFailure.self) {
      try ControlClient.send(.revoke(address, device: nil), socketPath: self.path)
    }
    #expect(failure?.code == .refused)
    #expect(port.asked == ["revoke pinned.example redmi", "revoke 2001:db8::1 -"])
  }

  @Test("A refusal of the port's is a failure with its reason at the client")
  func refusal() throws {
    let port = FakePort(reloadFailure: "rules/x.yaml:7:5: unknown key")
    let server = try ControlServer(socketPath: self.path, port: port)
    defer { server.stop() }
    let failure = #expect(throws: ControlFailure.self) {
      try ControlClient.send(.reload, socketPath: self.path)
    }
    #expect(failure?.code == .refused)
    #expect(failure?.detail == "rules/x.yaml:7:5: unknown key")
  }

  @Test(
    "What is no request is refused and never reaches the port",
    arguments: [
      "\n", "not json\n", "[]\n", "{\"command\":7}\n", "{\"command\":\"erase\"}\n",
      "{\"command\":\"mark\"}\n", "{\"command\":\"mark\",\"text\":\"  \"}\n",
      "{\"command\":\"mark\",\"text\":\"a\\u001b[2Jb\"}\n",
      "{\"command\":\"revoke\"}\n", "{\"command\":\"revoke\",\"host\":\"a b\"}\n", "\u{FFFD}\n",
    ]
  )
  func malformed(line: String) throws {
    let port = FakePort()
    let server = try ControlServer(socketPath: self.path, port: port)
    defer { server.stop() }
    #expect(try self.raw(Bytes(line)).contains("\"ok\":false"))
    #expect(port.asked.isEmpty)
  }

  @Test("A line over the bound is refused before it ends")
  func endless() throws {
    let server = try ControlServer(socketPath: self.path, port: FakePort())
    defer { server.stop() }
    let reply = try self.raw(Bytes(Array(repeating: 0x61, count: 70 << 10)))
    #expect(reply.contains("at most 65536 bytes"))
  }

  @Test("A client that says nothing is hung up on, and others are served meanwhile")
  func silence() throws {
    let bounds = ControlServer.Bounds(line: 64, clients: 2, patience: .milliseconds(100))
    let server = try ControlServer(socketPath: self.path, port: FakePort(), bounds: bounds)
    defer { server.stop() }
    let silent = try (0..<3).map { _ in try UnixSocket.connect(to: self.path) }
    // All places are taken by clients that say nothing; this one is served when their time is up.
    #expect(try ControlClient.send(.reload, socketPath: self.path).message == "3 rules")
    for socket in silent {
      var bytes = Bytes()
      _ = UnixSocket.wait(for: [(socket, POLLIN)], timeout: .seconds(5))
      guard case .closed = UnixSocket.read(socket, into: &bytes) else {
        Issue.record("a silent client is still connected")
        return
      }
    }
  }

  @Test("A request may come a byte at a time")
  func bytewise() throws {
    let port = FakePort()
    let server = try ControlServer(socketPath: self.path, port: port)
    defer { server.stop() }
    let socket = try UnixSocket.connect(to: self.path)
    for byte in ControlRequest.mark("slow").line {
      guard case .moved = UnixSocket.write(socket, Bytes([byte])) else {
        Issue.record("a byte did not go")
        return
      }
    }
    var reply = Bytes()
    _ = UnixSocket.wait(for: [(socket, POLLIN)], timeout: .seconds(5))
    _ = UnixSocket.read(socket, into: &reply)
    #expect(reply == "{\"message\":\"marked\",\"ok\":true}\n")
    #expect(port.asked == ["mark slow"])
  }

  @Test("A second proxy learns which process is running, and the first goes on")
  func alreadyRunning() throws {
    let server = try ControlServer(socketPath: self.path, port: FakePort())
    defer { server.stop() }
    let failure = #expect(throws: ControlFailure.self) {
      try ControlServer(socketPath: self.path, port: FakePort())
    }
    #expect(failure?.code == .alreadyRunning(getpid()))
    #expect(failure?.detail.contains("already running (pid \(getpid()))") == true)
    #expect(try ControlClient.send(.reload, socketPath: self.path).message == "3 rules")
  }

  @Test("The socket of a process that died is replaced")
  func stale() throws {
    // Listening and letting go leaves the name, as a crash does.
    do { _ = try UnixSocket.listen(at: self.path) }
    #expect(try self.folder.names() == ["control.sock"])
    let failure = #expect(throws: ControlFailure.self) {
      try ControlClient.send(.status, socketPath: self.path)
    }
    #expect(failure?.code == .notRunning)
    let server = try ControlServer(socketPath: self.path, port: FakePort())
    defer { server.stop() }
    #expect(try ControlClient.send(.reload, socketPath: self.path).message == "3 rules")
  }

  @Test("A reply over the client's limit is told as such, not as if no proxy ran")
  func hugeReply() throws {
    let names = [String(repeating: "x", count: 3 << 20)]
    let server = try ControlServer(socketPath: self.path, port: FakePort(untrusting: names))
    defer { server.stop() }
    let failure = #expect(throws: ControlFailure.self) {
      try ControlClient.send(.status, socketPath: self.path)
    }
    #expect(failure?.code == .malformed)
    #expect(failure?.detail == "the reply is over 1048576 bytes")
    #expect(try ControlClient.send(.reload, socketPath: self.path).message == "3 rules")
  }

  @Test("Without a proxy the client says so; a path too long for a socket is named")
  func unreachable() {
    let missing = #expect(throws: ControlFailure.self) {
      try ControlClient.send(.status, socketPath: self.path)
    }
    #expect(missing?.code == .notRunning)
    let long = self.folder.path + "/" + String(repeating: "x", count: 120)
    let failure = #expect(throws: ControlFailure.self) {
      try ControlClient.send(.status, socketPath: long)
    }
    #expect(failure?.code == .system(ENAMETOOLONG))
  }
}
