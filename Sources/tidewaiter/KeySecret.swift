import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

/// What opens the CA's key: a file's content, or what is typed in, which is asked for once.
final class KeySecret {
  private let file: String?
  /// What a relative `pin-source` starts from, as all paths in the configuration do.
  private let base: String
  private var typed: [UInt8]?

  init(_ configuration: Configuration) {
    self.file = configuration.ca.passphraseFile
    self.base = configuration.basePath
  }

  /// The passphrase of a key that is encrypted.
  func passphrase(of keyPath: String) throws(CommandFailure) -> [UInt8] {
    if let file { return try Self.read(file, holding: "passphrase") }
    if let typed { return typed }
    guard Prompt.isPossible else {
      throw CommandFailure(
        .usage,
        "\(keyPath): the key is encrypted, and there is no terminal to ask for its passphrase: put it "
          + "into a file of mode 0600 and name that as ca.passphrase_file"
      )
    }
    let passphrase = try Prompt.secret("Passphrase of \(keyPath): ")
    self.typed = passphrase
    return passphrase
  }

  /// The passphrase of a key that is about to be made: typed in if that was asked for, else that of
  /// `ca.passphrase_file`; nil for a key that is not encrypted.
  func newPassphrase(asks: Bool, for keyPath: String) throws(CommandFailure) -> [UInt8]? {
    guard asks else {
      guard let file = self.file else { return nil }
      return try Self.read(file, holding: "passphrase")
    }
    guard self.file == nil else {
      throw CommandFailure(.usage, "--passphrase: ca.passphrase_file has the passphrase already")
    }
    guard Prompt.isPossible else {
      throw CommandFailure(.usage, "--passphrase: there is no terminal to ask on")
    }
    let passphrase = try Prompt.secret("New passphrase of \(keyPath): ")
    guard try Prompt.secret("Once more: ") == passphrase else {
      throw CommandFailure(.usage, "--passphrase: that was not the same twice")
    }
    self.typed = passphrase
    return passphrase
  }

  /// The PIN of a token: from the file that the URI or `ca.passphrase_file` names, else typed in; nil
  /// where there is nobody to ask, for tokens that want none.
  func pin(of token: TokenURI) throws(CommandFailure) -> [UInt8]? {
    let named = token.pinSource.map { path in
      path.hasPrefix("/") || self.base.isEmpty ? path : "\(self.base)/\(path)"
    }
    if let file = named ?? self.file { return try Self.read(file, holding: "PIN") }
    if let typed { return typed }
    guard Prompt.isPossible else { return nil }
    let pin = try Prompt.secret("PIN of \(token.bare): ")
    self.typed = pin
    return pin
  }

  private static func read(_ path: String, holding what: String) throws(CommandFailure) -> [UInt8] {
    var bytes: [UInt8]
    do throws(FileFailure) {
      bytes = try SecretFile.read(path, holding: what, limit: 1_026).array
    } catch {
      throw CommandFailure(.usage, error.description)
    }
    // One line end, as editors and echo leave it; any other white space may be meant.
    if bytes.last == 0x0A { bytes.removeLast() }
    if bytes.last == 0x0D { bytes.removeLast() }
    guard !bytes.isEmpty, !bytes.contains(0), bytes.count <= 1_024 else {
      throw CommandFailure(.usage, "\(path): a \(what) has 1 to 1024 bytes, none of them 0")
    }
    return bytes
  }
}

/// Questions on the terminal.
enum Prompt {
  /// Whether somebody is there to answer.
  static var isPossible: Bool { isatty(STDIN_FILENO) == 1 }

  /// Asks for what is not to be seen.
  static func secret(_ question: String) throws(CommandFailure) -> [UInt8] {
    var before = termios()
    guard unsafe tcgetattr(STDIN_FILENO, &before) == 0 else {
      throw CommandFailure(.runtime, "there is no terminal to ask on")
    }
    var silent = before
    // Key by key and without signals, so that an interrupt, too, leaves the terminal as it was.
    silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
    unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
    // Only now: what is typed in as soon as the question is there must not be shown, nor flushed.
    Terminal.write(question, to: .standardError)
    defer {
      unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
      Terminal.error("")
    }
    var line: [UInt8] = []
    while true {
      var key: UInt8 = 0
      let count = unsafe read(STDIN_FILENO, &key, 1)
      if count < 0, errno == EINTR { continue }
      switch key {
      case _ where count <= 0, 0x03, 0x04:  // the end, Ctrl-C, Ctrl-D
        throw CommandFailure(.usage, "nothing was typed in")
      case 0x0A, 0x0D:
        guard !line.isEmpty else { throw CommandFailure(.usage, "nothing was typed in") }
        return line
      case 0x08, 0x7F:
        // A whole character, however many bytes it has.
        while let last = line.popLast(), last & 0xC0 == 0x80 {}
      case 0x15: line.removeAll()  // Ctrl-U
      default: if line.count < 1_024, key >= 0x20 { line.append(key) }
      }
    }
  }

  /// Asks a question of yes or no; only a whole "yes" is one.
  static func confirms(_ question: String) -> Bool {
    Terminal.write(question + " [yes/no] ", to: .standardError)
    return readLine()?.trimmingCharacters(in: .whitespaces).lowercased() == "yes"
  }
}
