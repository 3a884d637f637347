extension Bytes {
  /// How many bytes of memory this run keeps alive: those of the storage that it may be a slice of.
  ///
  /// What waits in a bounded queue is counted by this: a slice of ten bytes can hold a read of 64 KiB.
  public var retainedCount: Int { self.storage.capacity }
}
