/* HTTP/2: so many exchanges at a time, by nghttp2. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nghttp2_nv field(const char *name, const char *value) {
  return (nghttp2_nv){
    (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_upload(
  nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room, uint32_t *flags,
  nghttp2_data_source *source, void *user) {
  (void)session, (void)id, (void)user;
  struct exchange *exchange = source->ptr;
  uint64_t left = options.upload - exchange->uploaded;
  size_t at = (size_t)(exchange->uploaded % expected_size);
  size_t count = expected_size - at;
  if (count > room) count = room;
  if (count > left) count = (size_t)left;
  memcpy(buffer, expected + at, count);
  exchange->uploaded += count;
  if (exchange->uploaded == options.upload) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)count;
}

bool http2_request(struct connection *c) {
  struct exchange *exchange = calloc(1, sizeof *exchange);
  if (exchange == NULL) return false;
  *exchange = (struct exchange){.start = now(), .declared = -1};
  char authority[sizeof c->name + 8];
  snprintf(authority, sizeof authority, "%s:%d", c->name, options.authority_port);
  char size[24];
  snprintf(size, sizeof size, "%llu", (unsigned long long)options.upload);
  nghttp2_nv fields[] = {
    field(":method", options.upload > 0 ? "POST" : "GET"), field(":scheme", "https"),
    field(":authority", authority), field(":path", options.path), field("user-agent", "load/1"),
    options.upload > 0 ? field("content-length", size) : field("accept", "*/*"),
  };
  nghttp2_data_provider content = {.source = {.ptr = exchange}, .read_callback = read_upload};
  int32_t id = nghttp2_submit_request(
    c->session, NULL, fields, sizeof fields / sizeof *fields, options.upload > 0 ? &content : NULL,
    exchange);
  if (id < 0) {
    free(exchange);
    return false;
  }
  result.issued++;
  result.waiting++;
  c->open_streams++;
  return true;
}

static int on_header(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
  const uint8_t *value, size_t value_size, uint8_t flags, void *user) {
  (void)flags, (void)user, (void)value_size;
  struct exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (exchange == NULL) return 0;
  if (name_size == 7 && memcmp(name, ":status", 7) == 0) {
    exchange->status = atoi((const char *)value);
  } else if (name_size == 14 && memcmp(name, "content-length", 14) == 0) {
    exchange->declared = strtoll((const char *)value, NULL, 10);
  }
  return 0;
}

static int on_data(
  nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t count,
  void *user) {
  (void)flags;
  struct exchange *exchange = nghttp2_session_get_stream_user_data(session, id);
  if (exchange == NULL) return 0;
  if (exchange->received + count > options.length
      || !matches(exchange->received, (const char *)bytes, count)) {
    failed(user, "other bytes than the origin's");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  exchange->received += count;
  /* Ids of a client's streams are odd. */
  if (options.resets > 0 && !exchange->is_reset && id / 2 % options.resets == options.resets - 1) {
    exchange->is_reset = true;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }
  return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
  struct connection *c = user;
  struct exchange *exchange = nghttp2_session_get_stream_user_data(session, id);
  if (exchange == NULL) return 0;
  c->open_streams--;
  bool is_right = code == 0 && exchange->status == 200 && exchange->received == options.length
    && (exchange->declared == -1 || exchange->declared == (int64_t)options.length)
    && exchange->uploaded == options.upload;
  if (exchange->is_reset) {
    result.reset++;
    result.waiting--;
    is_right = true;
  } else if (is_right) {
    answered(exchange);
  } else {
    char what[96];
    snprintf(what, sizeof what, "stream ended with %u, status %d", code, exchange->status);
    failed(c, what);
  }
  free(exchange);
  if (!is_right) return NGHTTP2_ERR_CALLBACK_FAILURE;
  if (!options.idles && may_issue()) http2_request(c);
  return 0;
}

bool http2_begin(struct connection *c) {
  nghttp2_session_callbacks *callbacks;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  int status = nghttp2_session_client_new(&c->session, callbacks, c);
  nghttp2_session_callbacks_del(callbacks);
  if (status != 0) return false;
  nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20},
    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
  };
  nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
  nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, 1 << 24);
  for (long count = 0; count < options.streams && may_issue(); count++) {
    if (!http2_request(c)) return false;
  }
  return true;
}

bool http2_received(struct connection *c, const char *bytes, size_t count) {
  ssize_t taken = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes, count);
  if (taken < 0 || (size_t)taken != count) return false;
  if (options.idles) return true;
  return c->open_streams > 0;
}

bool http2_fill(struct connection *c) {
  c->out_start = c->out_end = 0;
  while (c->out_end < 16384) {
    const uint8_t *bytes;
    ssize_t count = nghttp2_session_mem_send(c->session, &bytes);
    if (count <= 0) break;
    memcpy(c->out + c->out_end, bytes, (size_t)count);
    c->out_end += (size_t)count;
  }
  return c->out_end > 0;
}
