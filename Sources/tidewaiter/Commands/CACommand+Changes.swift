import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

extension CACommand {
  /// `ca rotate`.
  struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a new CA; the old one is kept and exported beside it until it ends."
    )

    @OptionGroup var options: CAOptions
    @Flag(help: "Ask for a passphrase on the terminal and encrypt both keys under it.")
    var passphrase = false

    func run() throws {
      let store = try self.options.store(needsCase: true)
      guard store.exists else {
        throw CommandFailure(
          .usage,
          "\(store.directory): there is no CA yet; `tidewaiter ca init` makes one"
        )
      }
      let rotation = try store.rotate(asksForPassphrase: self.passphrase)
      var lines = try [CAReport(store).text, ""]
      if let dropped = rotation.dropped {
        lines.append(
          "The CA before the last one is gone (\(dropped.subject), valid to "
            + "\(dropped.notAfter.rfc3339.prefix(10))): devices that know only that one need the "
            + "new one now."
        )
      }
      let isOver = rotation.previous.notAfter <= CAStore.now()
      lines.append(
        "Install the new CA on the devices: `tidewaiter ca export`, or the proxy's own page. "
          + (isOver
            ? "The old one has ended: until then they see errors."
            : "Until the old one ends, devices that know only it are shown its leaves.")
      )
      if store.hasRunningProxy {
        lines.append("The proxy that is running goes on with the old CA until its next start.")
      }
      Terminal.print(lines.joined(separator: "\n"))
    }
  }

  /// `ca destroy`.
  struct Destroy: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Destroys the CA: overwrites its keys and takes them and the certificates away.",
      discussion:
        "On a terminal it asks first. With ca.per_case and no --case it means all cases' CAs."
    )

    @OptionGroup var options: CAOptions
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
      let store =
        if self.options.caseName == nil {
          CAStore(try self.options.configuration.load())
        } else {
          try self.options.store()
        }
      guard store.exists || !store.cases.isEmpty else {
        throw CommandFailure(.problem, "\(store.directory): there is no CA to destroy")
      }
      guard !store.hasRunningProxy else {
        throw CommandFailure(
          .problem,
          "\(store.controlSocket): a proxy is running with this CA: `tidewaiter stop` ends it"
        )
      }
      // Read before it is gone; what cannot be read is destroyed all the same.
      let subject = try? store.certificate().subject
      if !self.yes, Prompt.isPossible {
        let question =
          "Destroy \(subject ?? "the CA in \(store.directory)")? No device can be intercepted with "
          + "it any more."
        guard Prompt.confirms(question) else {
          throw CommandFailure(.problem, "nothing was destroyed")
        }
      }
      let removed = try store.destroy()
      let token =
        store.settings.pkcs11 == nil
        ? ""
        : """

        The key in the token is untouched: pkcs11-tool --login --delete-object --type privkey \
        --label OBJECT takes it away.
        """
      Terminal.print(
        """
        destroyed \(removed.joined(separator: ", "))
        Now take the certificate\(subject.map { " (\($0))" } ?? "") off the devices:
          iOS      Settings > General > VPN & Device Management > Tidewaiter CA > Remove Profile
          Android  Settings > Security > Encryption & credentials > User credentials (or Trusted \
        credentials > User)
          others   the list of authorities in the system's or the browser's settings
        Where the file system keeps old blocks (journal, copy on write, flash, backups), the keys may \
        outlive this; a passphrase or a token is what helps against that.\(token)
        """
      )
    }
  }
}

extension CAStore {
  /// Whether a proxy answers on this configuration's control socket.
  var hasRunningProxy: Bool {
    do throws(ControlFailure) {
      _ = try ControlClient.send(
        .status,
        socketPath: self.controlSocket,
        patience: .seconds(5)
      )
      return true
    } catch {
      switch error.code {
      case .notRunning, .system: return false
      // Somebody is there to say it.
      case .alreadyRunning, .refused, .malformed, .timeOut: return true
      }
    }
  }
}
