// libFuzzer brings a `main`, but SwiftPM links an executable with the one that Swift made: it calls this.
#include "CLibFuzzer.h"

#include <sanitizer/lsan_interface.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test)(const uint8_t *, size_t));

int runLibFuzzer(int argc, char **argv) {
  return LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput);
}

void beginKeeping(void) { __lsan_disable(); }

void endKeeping(void) { __lsan_enable(); }
