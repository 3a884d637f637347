extension RecorderSettings {
  /// The least `maxSize` that leaves room for something else where `keepsWire` is on: four files of wire/.
  ///
  /// The file that is written never goes, nor do those of connections that are open.
  public static let leastSizeWithWire = 4 * RecorderSettings().segmentSize
}
