// The C library's heap: what of it malloc.h leaves to whoever runs for days.
#pragma once
#include <malloc.h>

// `arenas` heaps at most; blocks from `large` bytes on are mapped by themselves, and unmapped when they are
// freed; of a heap's end at most `spare` bytes are kept.
static inline void tide_heap_settle(int arenas, int large, int spare) {
#ifdef __GLIBC__
  (void)mallopt(M_ARENA_MAX, arenas);
  (void)mallopt(M_MMAP_THRESHOLD, large);
  (void)mallopt(M_TRIM_THRESHOLD, spare);
#endif
}

// Gives pages back on which nothing lives.
static inline void tide_heap_trim(void) {
#ifdef __GLIBC__
  (void)malloc_trim(0);
#endif
}
