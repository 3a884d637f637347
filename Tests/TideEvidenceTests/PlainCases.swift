@testable import TideEvidence

// Most tests are about cases that are not encrypted: these spare them saying so.

extension LogReader {
  init(root: String) throws(EvidenceFailure) { try self.init(root: root, keys: nil) }
}

extension LogTail {
  static func find(in root: String) throws(EvidenceFailure) -> LogTail {
    try self.find(in: root, keys: nil)
  }
}

extension BodyReader {
  init(root: String, sha256: String) throws(EvidenceFailure) {
    try self.init(root: root, sha256: sha256, keys: nil)
  }
}

extension BodyLayout {
  static func relativePath(_ hex: String) -> String { self.relativePath(hex, nil) }

  static func holds(_ digest: String, in root: String) throws(EvidenceFailure) -> Bool {
    try self.holds(digest, in: root, nil)
  }
}

extension WireReader {
  init(root: String, segment: Int) throws(EvidenceFailure) {
    try self.init(root: root, segment: segment, keys: nil)
  }
}
