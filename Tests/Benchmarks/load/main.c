/* load: makes requests through a proxy that intercepts TLS, and believes nothing.
 *
 * Each leaf is verified with the CA and for its name, each answer has to have status 200, the length and
 * the very bytes of the origin's. One thread, epoll, OpenSSL, nghttp2. Prints one JSON object. The options
 * are those of `flags` below; README.md of the folder above says who calls it. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct options options = {
  .connections = 1, .streams = 1, .names = 1, .seconds = 3600, .pattern = "bench.example",
  .path = "/"};
struct result result;
char *expected;
size_t expected_size;

static SSL_CTX *context;
static int poller;
static double deadline;
static struct connection *connections;
static long name_count, said, live, idle;
/* Sessions to resume, the newest last. */
static SSL_SESSION *sessions[1024];
static size_t session_count;

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(2);
}

bool may_issue(void) {
  if (options.requests > 0) return result.issued < options.requests;
  return now() < deadline;
}

void failed(struct connection *c, const char *what) {
  result.failed++;
  if (said++ < 5) fprintf(stderr, "load: %s: %.300s\n", c->name, what);
}

void answered(struct exchange *exchange) {
  if (result.latency_count == result.latency_room) {
    result.latency_room = result.latency_room == 0 ? 4096 : result.latency_room * 2;
    result.latencies =
      realloc(result.latencies, result.latency_room * sizeof *result.latencies);
    if (result.latencies == NULL) die("memory");
  }
  result.latencies[result.latency_count++] = (uint32_t)((now() - exchange->start) * 1e6);
  result.answered++;
  result.bytes += exchange->received + exchange->uploaded;
  if (options.idles) idle++;
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

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  (void)ssl;
  if (session_count == sizeof sessions / sizeof *sessions) return 0;
  sessions[session_count++] = session;
  return 1;
}

static void watch(struct connection *c, bool wants_write) {
  struct epoll_event event = {
    .events = EPOLLIN | (wants_write ? EPOLLOUT : 0u), .data = {.ptr = c}};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event) != 0) die("epoll_ctl");
  c->wants_write = wants_write;
}

static void open_connection(struct connection *c) {
  *c = (struct connection){.stage = STAGE_TCP, .start = now()};
  long number = options.first_name + name_count++ % options.names;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(c->name, sizeof c->name, options.pattern, number);
#pragma GCC diagnostic pop
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((uint16_t)options.port),
    .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    die("connect");
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data = {.ptr = c}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl");
  c->wants_write = true;
  live++;
}

static void close_connection(struct connection *c) {
  if (c->ssl != NULL) {
    if (c->stage == STAGE_OPEN) SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
  }
  if (c->session != NULL) nghttp2_session_del(c->session);
  close(c->fd);
  c->stage = STAGE_GONE;
  live--;
}

static bool begin_tls(struct connection *c) {
  c->stage = STAGE_TLS;
  c->ssl = SSL_new(context);
  if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) die("SSL_new");
  SSL_set_tlsext_host_name(c->ssl, c->name);
  SSL_set1_host(c->ssl, c->name);
  if (options.resumes && session_count > 0) {
    SSL_SESSION *session = sessions[--session_count];
    SSL_set_session(c->ssl, session);
    SSL_SESSION_free(session);
  }
  return true;
}

/* TCP is there. */
static bool greet(struct connection *c) {
  if (!options.connects) return begin_tls(c);
  c->stage = STAGE_PROXY;
  int count = snprintf(
    c->out, sizeof c->out, "CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n", c->name,
    options.authority_port, c->name, options.authority_port);
  return send(c->fd, c->out, (size_t)count, MSG_NOSIGNAL) == count;
}

static bool read_proxy(struct connection *c) {
  ssize_t count = recv(c->fd, c->head + c->head_size, sizeof c->head - 1 - c->head_size, 0);
  if (count < 0 && errno == EAGAIN) return true;
  if (count <= 0) return false;
  c->head_size += (size_t)count;
  c->head[c->head_size] = 0;
  if (strstr(c->head, "\r\n\r\n") == NULL) return true;
  if (strncmp(c->head + 8, " 200", 4) != 0) return false;
  c->head_size = 0;
  return begin_tls(c);
}

static bool begin_http(struct connection *c) {
  c->stage = STAGE_OPEN;
  result.handshakes++;
  result.resumed += SSL_session_reused(c->ssl);
  const unsigned char *protocol;
  unsigned size;
  SSL_get0_alpn_selected(c->ssl, &protocol, &size);
  bool is_http2 = size == 2 && memcmp(protocol, "h2", 2) == 0;
  if (is_http2 != options.is_http2) {
    failed(c, "another protocol than was asked for");
    return false;
  }
  return is_http2 ? http2_begin(c) : http1_request(c);
}

/* Writes what waits; false if the connection is broken. */
static bool flush(struct connection *c) {
  for (;;) {
    if (c->out_start == c->out_end) {
      c->out_start = c->out_end = 0;
      if (!(options.is_http2 ? http2_fill(c) : http1_fill(c))) {
        if (c->wants_write) watch(c, false);
        return true;
      }
    }
    int count = SSL_write(c->ssl, c->out + c->out_start, (int)(c->out_end - c->out_start));
    if (count <= 0) {
      if (SSL_get_error(c->ssl, count) != SSL_ERROR_WANT_WRITE) return false;
      if (!c->wants_write) watch(c, true);
      return true;
    }
    c->out_start += (size_t)count;
  }
}

static bool receive(struct connection *c) {
  static char buffer[65536];
  for (;;) {
    int count = SSL_read(c->ssl, buffer, sizeof buffer);
    if (count <= 0) {
      int error = SSL_get_error(c->ssl, count);
      if (error == SSL_ERROR_WANT_READ) return true;
      if (c->busy || c->open_streams > 0) failed(c, "the connection ended early");
      return false;
    }
    if (result.first_answer == 0) result.first_answer = now();
    if (!(options.is_http2 ? http2_received(c, buffer, (size_t)count)
                           : http1_received(c, buffer, (size_t)count))) {
      return false;
    }
    if (!flush(c)) return false;
  }
}

/* What one readiness lets a connection do; false if it is over. */
static bool step(struct connection *c) {
  if (c->stage == STAGE_TCP) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || !greet(c)) {
      failed(c, error != 0 ? strerror(error) : "cannot greet");
      return false;
    }
  }
  if (c->stage == STAGE_PROXY) {
    if (c->wants_write) watch(c, false);
    if (!read_proxy(c)) {
      failed(c, c->head_size > 0 ? c->head : "no answer to CONNECT");
      return false;
    }
    if (c->stage == STAGE_PROXY) return true;
  }
  if (c->stage == STAGE_TLS) {
    ERR_clear_error();
    int status = SSL_connect(c->ssl);
    if (status != 1) {
      int error = SSL_get_error(c->ssl, status);
      bool wants_write = error == SSL_ERROR_WANT_WRITE;
      if (wants_write || error == SSL_ERROR_WANT_READ) {
        if (wants_write != c->wants_write) watch(c, wants_write);
        return true;
      }
      long verification = SSL_get_verify_result(c->ssl);
      failed(c, verification != X509_V_OK ? X509_verify_cert_error_string(verification)
                                          : "the handshake failed");
      return false;
    }
    if (!begin_http(c)) return false;
  }
  return flush(c) && receive(c);
}

static void handle(struct connection *c) {
  if (step(c)) return;
  close_connection(c);
  /* A proxy that fails always is not asked for ever. */
  if (!options.idles && result.failed < 100 && may_issue()) open_connection(c);
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static uint32_t percentile(double share) {
  if (result.latency_count == 0) return 0;
  return result.latencies[(size_t)(share * (double)(result.latency_count - 1))];
}

static void report(double seconds) {
  qsort(result.latencies, result.latency_count, sizeof *result.latencies, ascending);
  printf(
    "{\"answered\": %ld, \"failed\": %ld, \"handshakes\": %ld, \"resumed\": %ld, \"bytes\": %llu, "
    "\"seconds\": %.6f, \"p50\": %u, \"p99\": %u, \"first_answer\": %.6f}\n",
    result.answered, result.failed, result.handshakes, result.resumed,
    (unsigned long long)result.bytes, seconds, percentile(0.5), percentile(0.99),
    result.first_answer);
  fflush(stdout);
}

static void load_expected(void) {
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

static void make_context(void) {
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL || SSL_CTX_load_verify_locations(context, options.authority_file, NULL) != 1) {
    die(options.authority_file);
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  static const unsigned char http2[] = "\x02h2", http1[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(
    context, options.is_http2 ? http2 : http1,
    options.is_http2 ? sizeof http2 - 1 : sizeof http1 - 1);
  if (options.resumes) {
    SSL_CTX_set_session_cache_mode(
      context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_session);
  }
}

static void read_options(int count, char **words) {
  static const struct option flags[] = {
    {"port", 1, 0, 'p'},      {"authority-port", 1, 0, 'a'}, {"connect", 0, 0, 'c'},
    {"http2", 0, 0, '2'},     {"close", 0, 0, 'x'},          {"resume", 0, 0, 'r'},
    {"idle", 0, 0, 'i'},      {"connections", 1, 0, 'n'},    {"streams", 1, 0, 's'},
    {"requests", 1, 0, 'q'},  {"seconds", 1, 0, 't'},        {"names", 1, 0, 'm'},
    {"first-name", 1, 0, 'f'}, {"pattern", 1, 0, 'e'},       {"path", 1, 0, 'u'},
    {"ca", 1, 0, 'k'},        {"expect", 1, 0, 'b'},         {"length", 1, 0, 'l'},
    {"upload", 1, 0, 'o'},    {0, 0, 0, 0}};
  int flag;
  while ((flag = getopt_long(count, words, "", flags, NULL)) != -1) {
    switch (flag) {
      case 'p': options.port = atoi(optarg); break;
      case 'a': options.authority_port = atoi(optarg); break;
      case 'c': options.connects = true; break;
      case '2': options.is_http2 = true; break;
      case 'x': options.closes = true; break;
      case 'r': options.resumes = true; break;
      case 'i': options.idles = true; break;
      case 'n': options.connections = atol(optarg); break;
      case 's': options.streams = atol(optarg); break;
      case 'q': options.requests = atol(optarg); break;
      case 't': options.seconds = atof(optarg); break;
      case 'm': options.names = atol(optarg); break;
      case 'f': options.first_name = atol(optarg); break;
      case 'e': options.pattern = optarg; break;
      case 'u': options.path = optarg; break;
      case 'k': options.authority_file = optarg; break;
      case 'b': options.expected_file = optarg; break;
      case 'l': options.length = strtoull(optarg, NULL, 10); break;
      case 'o': options.upload = strtoull(optarg, NULL, 10); break;
      default: exit(2);
    }
  }
  if (options.port == 0 || options.authority_file == NULL || options.expected_file == NULL) {
    fprintf(stderr, "load: --port, --ca and --expect are needed\n");
    exit(2);
  }
}

int main(int count, char **words) {
  read_options(count, words);
  signal(SIGPIPE, SIG_IGN);
  load_expected();
  make_context();
  poller = epoll_create1(EPOLL_CLOEXEC);
  connections = calloc((size_t)options.connections, sizeof *connections);
  if (poller < 0 || connections == NULL) die("memory");
  double start = now();
  deadline = start + options.seconds;
  /* Idle connections are made a few at a time: a queue of SYNs is no part of the question. */
  long begun = 0, most = options.idles ? 32 : options.connections;
  while (begun < options.connections || live > idle) {
    while (begun < options.connections && live - idle < most) open_connection(&connections[begun++]);
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, 10000);
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    if (ready == 0) {
      fprintf(stderr, "load: nothing for 10 s\n");
      result.failed++;
      break;
    }
    for (int index = 0; index < ready; index++) handle(events[index].data.ptr);
  }
  report(now() - start);
  if (options.idles) {
    while (getchar() != EOF) continue;
  }
  return result.failed == 0 ? 0 : 1;
}
