public import TideCore

extension HeadRewrite {
  /// The head as the codec would send it, blank line included, for records.
  ///
  /// - Throws: `.unsendable` for a head that could not be sent.
  public static func serialised(_ head: MessageHead) throws(HTTPFailure) -> Bytes {
    var output: [UInt8] = []
    try HeadWriter.write(head, &output)
    return Bytes(output)
  }
}
