import TideConfig
import TideCore
import TidePolicy

/// The lines of the failure that `body` throws; none if it throws none.
func problems(_ body: () throws(ConfigFailure) -> Void) -> [String] {
  do throws(ConfigFailure) {
    try body()
    return []
  } catch {
    return error.problems.map(\.description)
  }
}

/// The problems of a `tidewaiter.yaml`.
func problems(configuration yaml: String) -> [String] {
  problems { () throws(ConfigFailure) in _ = try Configuration(yaml: yaml, path: "t.yaml") }
}

/// The problems of a rule file.
func problems(rules yaml: String) -> [String] {
  problems { () throws(ConfigFailure) in
    _ = try RuleDocument.parse(yaml: yaml, path: "rules/x.yaml")
  }
}

/// The problems of a device's file.
func problems(device yaml: String) -> [String] {
  problems { () throws(ConfigFailure) in
    _ = try DeviceDocument.parse(yaml: yaml, path: "devices/d.yaml")
  }
}
