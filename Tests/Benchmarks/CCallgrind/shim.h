// Macros that Swift cannot see. Where no valgrind runs, they do nothing.
#pragma once
#include <valgrind/callgrind.h>

/// Begins to count instructions, or ends it.
static inline void tide_toggle_collect(void) { CALLGRIND_TOGGLE_COLLECT; }
