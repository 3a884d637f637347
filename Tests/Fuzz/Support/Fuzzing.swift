import CLibFuzzer
import Glibc
public import TideCore

/// What every fuzz target needs: to run, to take its input, and to say what does not hold.
public enum Fuzzing {
  /// Hands the program over to libFuzzer, which calls its `LLVMFuzzerTestOneInput`.
  public static func run() -> Never {
    unsafe exit(runLibFuzzer(CommandLine.argc, CommandLine.unsafeArgv))
  }

  /// Copies libFuzzer's input.
  public static func input(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Bytes {
    unsafe Bytes(copying: UnsafeRawBufferPointer(start: start, count: count))
  }

  /// Makes what is kept until the end, and what LeakSanitizer would take for lost.
  public static func keeping<Value>(_ make: () -> Value) -> Value {
    beginKeeping()
    defer { endKeeping() }
    return make()
  }
}

/// Ends the process unless `condition` holds, so that libFuzzer keeps the input.
///
/// Not `precondition`, whose message a release build drops.
public func require(_ condition: Bool, _ claim: @autoclosure () -> String) {
  if !condition { fail(claim()) }
}

/// Ends the process, so that libFuzzer keeps the input.
public func fail(_ claim: String) -> Never {
  // A trap, not an exit: libFuzzer reports it with a stack.
  fatalError("broken: \(claim)")
}
