// Macros that Swift cannot see. Where no valgrind runs, they do nothing.
#pragma once
#include <valgrind/callgrind.h>

/// Ends what is counted together, and begins anew: what was counted goes to a file of its own.
static inline void tide_dump_counts(void) { CALLGRIND_DUMP_STATS; }
