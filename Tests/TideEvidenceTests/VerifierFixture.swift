import Foundation
import Testing

@testable import TideEvidence

/// Takes back what the log states of wire/, and all that follows: as a kill before the first sync leaves a case.
func forgetWire(_ path: String) throws {
  var isCut = false
  for segment in try LogReader(root: path).segments {
    let file = LogReader.path(of: segment, in: path)
    if isCut {
      try FileManager.default.removeItem(atPath: file)
      continue
    }
    let lines = try logLines(path, segment: segment)
    let types = try logObjects(path, segment: segment).map { $0["type"] as? String }
    guard let first = types.firstIndex(of: "wire") else { continue }
    try write(lines[..<first].flatMap { $0 + [0x0A] }, to: file)
    isCut = true
  }
  #expect(isCut)
}

/// What two verifiers must agree on: the verdict, and the number of the line if there is one.
func gist(_ summary: String) -> String { String(summary.split(separator: " (")[0]) }
