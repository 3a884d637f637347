import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore

extension DeviceCommand {
  /// `device canary`.
  struct CanaryValues: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "canary",
      abstract:
        "Makes values to plant on a device, adds them to its profile, and says what to enter.",
      discussion: "Each call adds a contact and a word for a message; what the profile has stays."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The device's name.") var name: String
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let folder = DeviceFolder(try self.options.load())
      let profiles = try folder.filedProfiles()
      guard let own = profiles.first(where: { $0.profile.name == self.name }) else {
        throw CommandFailure(
          .problem,
          "\(folder.path): no device \"\(self.name)\"; `tidewaiter device add \(self.name)` makes one"
        )
      }
      var generator = SystemRandomNumberGenerator()
      guard
        let canary = Canary.random(besides: profiles.map(\.profile), using: &generator)
      else {
        throw CommandFailure(.problem, "every number of the range for canaries is in a profile")
      }
      // A profile that is a link to elsewhere stays one.
      let file = URL(fileURLWithPath: own.file).resolvingSymlinksInPath().path
      let text = try TextFile.read(file, what: "the device profile")
      let added: String
      do throws(ConfigFailure) {
        added = try DeviceDocument.adding(canary, to: text, path: own.file)
      } catch {
        throw CommandFailure(.usage, error.description)
      }
      do throws(FileFailure) {
        try SecretFile.write(Bytes(added), to: file, replacing: true)
      } catch {
        throw CommandFailure(.runtime, error.description)
      }
      Terminal.print(
        self.json
          ? try JSONText.encode(Planted(self.name, own.file, canary))
          : Self.instructions(self.name, own.file, canary)
      )
    }

    private struct Planted: Encodable {
      let device: String
      let file: String
      let contactName: String
      let contactPhone: String
      let smsText: String

      enum CodingKeys: String, CodingKey {
        case device, file
        case contactName = "contact_name"
        case contactPhone = "contact_phone"
        case smsText = "sms_text"
      }

      init(_ device: String, _ file: String, _ canary: Canary) {
        self.device = device
        self.file = file
        self.contactName = canary.contactName
        self.contactPhone = canary.contactPhone
        self.smsText = canary.message
      }
    }

    private static func instructions(_ name: String, _ file: String, _ canary: Canary) -> String {
      """
      \(file): canaries added for \(name)
      on the phone
        1  add a contact   name  \(canary.contactName)
                           phone \(canary.contactPhone)   (\(canary.nationalPhone) in the United Kingdom)
        2  have a text message sent to it, or write one, that says
                           \(canary.message)
      then `tidewaiter reload` if the proxy runs, and `tidewaiter mark "contact added"` when it is done.
      Found again they are contact_name, contact_phone and sms_text, certain.
      The number is of the range that Ofcom keeps for drama: nobody has it. Do not send to it.
      """
    }
  }
}
