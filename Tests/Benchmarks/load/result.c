/* What came of it, and whether it was right. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result result;
char *expected;
size_t expected_size;

void answered(struct exchange *exchange) {
  if (result.latency_count == result.latency_room) {
    result.latency_room = result.latency_room == 0 ? 4096 : result.latency_room * 2;
    result.latencies =
      realloc(result.latencies, result.latency_room * sizeof *result.latencies);
    if (result.latencies == NULL) die("memory");
  }
  result.latencies[result.latency_count++] = (uint32_t)((now() - exchange->start) * 1e6);
  result.answered++;
  result.waiting--;
  result.bytes += exchange->received + exchange->uploaded;
}

void forget(void) {
  result.answered = result.reset = 0;
  result.bytes = 0;
  result.latency_count = 0;
}

bool matches(uint64_t offset, const char *bytes, size_t count) {
  while (count > 0) {
    size_t at = (size_t)(offset % expected_size);
    size_t piece = expected_size - at < count ? expected_size - at : count;
    if (memcmp(expected + at, bytes, piece) != 0) return false;
    offset += piece;
    bytes += piece;
    count -= piece;
  }
  return true;
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static uint32_t percentile(double share) {
  if (result.latency_count == 0) return 0;
  return result.latencies[(size_t)(share * (double)(result.latency_count - 1))];
}

void report(double seconds) {
  qsort(result.latencies, result.latency_count, sizeof *result.latencies, ascending);
  printf(
    "{\"answered\": %ld, \"failed\": %ld, \"handshakes\": %ld, \"resumed\": %ld, \"bytes\": %llu, "
    "\"reset\": %ld, \"seconds\": %.6f, \"p50\": %u, \"p99\": %u, \"first_answer\": %.6f}\n",
    result.answered, result.failed, result.handshakes, result.resumed,
    (unsigned long long)result.bytes, result.reset, seconds, percentile(0.5), percentile(0.99),
    result.first_answer);
  fflush(stdout);
}

void load_expected(void) {
  FILE *file = fopen(options.expected_file, "rb");
  if (file == NULL) die(options.expected_file);
  fseek(file, 0, SEEK_END);
  expected_size = (size_t)ftell(file);
  rewind(file);
  expected = malloc(expected_size);
  if (expected == NULL || expected_size == 0 || fread(expected, 1, expected_size, file) != expected_size) {
    die(options.expected_file);
  }
  fclose(file);
  if (options.length == 0) options.length = expected_size;
}
