/* HTTP/1.1: one exchange at a time. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static size_t room(const struct connection *c) { return sizeof c->out - c->out_end; }

bool http1_request(struct connection *c) {
  c->exchange = (struct exchange){.start = options.closes ? c->start : now(), .declared = -1};
  c->busy = true;
  c->in_body = false;
  c->ends_after = false;
  c->head_size = 0;
  result.issued++;
  result.waiting++;
  int count;
  if (options.upload > 0) {
    count = snprintf(
      c->out + c->out_end, room(c),
      "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/octet-stream\r\n"
      "Content-Length: %llu\r\n\r\n",
      options.path, c->name, options.authority_port, (unsigned long long)options.upload);
  } else {
    count = snprintf(
      c->out + c->out_end, room(c),
      "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: load/1\r\nAccept: */*\r\n\r\n",
      options.path, c->name, options.authority_port);
  }
  if (count < 0 || (size_t)count >= room(c)) return false;
  c->out_end += (size_t)count;
  return true;
}

bool http1_fill(struct connection *c) {
  if (!c->busy) return false;
  uint64_t left = options.upload - c->exchange.uploaded;
  if (left == 0) return false;
  size_t at = (size_t)(c->exchange.uploaded % expected_size);
  size_t count = expected_size - at;
  if (count > 16384) count = 16384;
  if (count > left) count = (size_t)left;
  memcpy(c->out, expected + at, count);
  c->out_start = 0;
  c->out_end = count;
  c->exchange.uploaded += count;
  return true;
}

/* Reads a whole head; false if it is not the one expected. */
static bool read_head(struct connection *c) {
  if (sscanf(c->head, "HTTP/1.1 %d", &c->exchange.status) != 1) return false;
  for (char *line = strstr(c->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, "content-length:", 15) == 0) {
      c->exchange.declared = strtoll(line + 15, NULL, 10);
    } else if (strncasecmp(line, "connection: close", 17) == 0) {
      c->ends_after = true;
    }
  }
  return c->exchange.status == 200 && c->exchange.declared == (int64_t)options.length;
}

bool http1_received(struct connection *c, const char *bytes, size_t count) {
  while (count > 0) {
    if (!c->busy) {
      failed(c, "bytes that nobody asked for");
      return false;
    }
    if (!c->in_body) {
      size_t taken = count;
      size_t before = c->head_size;
      if (taken > sizeof c->head - 1 - before) taken = sizeof c->head - 1 - before;
      memcpy(c->head + before, bytes, taken);
      c->head_size += taken;
      c->head[c->head_size] = 0;
      char *end = strstr(c->head, "\r\n\r\n");
      if (end == NULL) {
        if (c->head_size == sizeof c->head - 1) {
          failed(c, "a head that is too long");
          return false;
        }
        return true;
      }
      size_t size = (size_t)(end - c->head) + 4;
      size_t used = size - before;
      end[2] = 0;
      bytes += used;
      count -= used;
      if (!read_head(c)) {
        failed(c, c->head);
        return false;
      }
      c->in_body = true;
    }
    uint64_t left = options.length - c->exchange.received;
    size_t taken = count < left ? count : (size_t)left;
    if (!matches(c->exchange.received, bytes, taken)) {
      failed(c, "other bytes than the origin's");
      return false;
    }
    c->exchange.received += taken;
    bytes += taken;
    count -= taken;
    if (c->exchange.received < options.length) continue;
    if (c->exchange.uploaded != options.upload) {
      failed(c, "an answer before the request was whole");
      return false;
    }
    answered(&c->exchange);
    c->busy = false;
    if (count > 0) {
      failed(c, "bytes after the answer");
      return false;
    }
    if (options.idles) return true;
    if (options.closes || c->ends_after || !may_issue()) return false;
    if (options.think > 0) {
      rest(c);
    } else if (!http1_request(c)) {
      return false;
    }
  }
  return true;
}
