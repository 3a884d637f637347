// What the C library's allocator is told, where it can be told anything: glibc's.
#pragma once
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// As many arenas at most: left to itself glibc has eight a core, and each keeps what was freed in it.
static inline void tide_memory_arenas(int count) {
#ifdef __GLIBC__
  (void)mallopt(M_ARENA_MAX, count);
#else
  (void)count;
#endif
}

// Free memory at the end of an arena above so many bytes goes back to the system, and blocks of so many come from it
// alone. Once told, glibc no longer raises both by itself: to 32 and 64 MiB, once a large block was freed.
static inline void tide_memory_bound(int bytes) {
#ifdef __GLIBC__
  (void)mallopt(M_TRIM_THRESHOLD, bytes);
  (void)mallopt(M_MMAP_THRESHOLD, bytes);
#else
  (void)bytes;
#endif
}

// Gives back every free page of every arena.
static inline void tide_memory_trim(void) {
#ifdef __GLIBC__
  (void)malloc_trim(0);
#endif
}
