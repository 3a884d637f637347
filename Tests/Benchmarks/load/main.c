/* load: makes requests through a proxy that intercepts TLS, and believes nothing.
 *
 * Each leaf is verified with the CA and for its name, each answer has to have status 200, the length and
 * the very bytes of the origin's. One thread, epoll, OpenSSL, nghttp2. Prints one JSON object. The options
 * are those of options.c; README.md of the folder above says who calls it. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static SSL_CTX *context;
static int poller;
static double deadline;
static struct connection *connections;
static bool is_waiting_for_all;
static long name_count, said, live, opening;
/* Sessions to resume, the newest last. */
static SSL_SESSION *sessions[1024];
static size_t session_count;
/* Those that think, the next that is due first. */
static TAILQ_HEAD(, connection) resting = TAILQ_HEAD_INITIALIZER(resting);

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void die(const char *what) {
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
  memset(c, 0, offsetof(struct connection, out));
  c->stage = STAGE_TCP;
  c->start = now();
  long number = options.first_name + name_count++ % options.names;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(c->name, sizeof c->name, options.pattern, number);
#pragma GCC diagnostic pop
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.sources > 1) {
    /* The kernel chooses a port when it knows the peer: so each address has all of them. */
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    uint32_t source = INADDR_LOOPBACK + (uint32_t)(name_count % options.sources);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(source)}};
    if (bind(c->fd, (struct sockaddr *)&own, sizeof own) != 0) die("bind");
  }
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
  opening++;
}

static void close_connection(struct connection *c) {
  if (c->stage != STAGE_OPEN) opening--;
  if (c->due > 0) TAILQ_REMOVE(&resting, c, after);
  result.waiting -= (c->busy ? 1 : 0) + c->open_streams;
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
  opening--;
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
  if (is_http2) return http2_begin(c);
  /* Those that are to be steady begin together. */
  return is_waiting_for_all || http1_request(c);
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
      if (SSL_get_error(c->ssl, count) != SSL_ERROR_WANT_WRITE) {
        failed(c, "the connection broke while something was sent");
        return false;
      }
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
      if (c->busy || c->open_streams > 0 || c->due > 0) failed(c, "the connection ended early");
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
  if (!flush(c) || !receive(c)) return false;
  /* A reset that was written may have ended the last stream. */
  return !options.is_http2 || options.idles || c->open_streams > 0;
}

static void handle(struct connection *c) {
  if (step(c)) return;
  close_connection(c);
  /* A proxy that fails always is not asked for ever. */
  if (!options.idles && result.failed < 100 && may_issue()) open_connection(c);
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

void rest(struct connection *c) {
  c->due = now() + options.think;
  TAILQ_INSERT_TAIL(&resting, c, after);
}

/* All are open: what is counted begins, spread over the time that they think. */
static double begin_together(double start) {
  forget();
  printf("{\"open\": %ld, \"seconds\": %.6f}\n", live, now() - start);
  fflush(stdout);
  is_waiting_for_all = false;
  start = now();
  deadline = start + options.seconds;
  for (long index = 0; index < options.connections; index++) {
    struct connection *c = &connections[index];
    if (c->stage != STAGE_OPEN || options.is_http2) continue;
    c->due = start + options.think * (double)index / (double)options.connections;
    TAILQ_INSERT_TAIL(&resting, c, after);
  }
  return start;
}

/* Has those make their requests who have thought long enough; how many ms until the next has. */
static int wake(void) {
  struct connection *c;
  while ((c = TAILQ_FIRST(&resting)) != NULL) {
    double left = c->due - now();
    if (left > 0) return (int)(left * 1000) + 1;
    TAILQ_REMOVE(&resting, c, after);
    c->due = 0;
    if (!may_issue() || !http1_request(c) || !flush(c)) close_connection(c);
  }
  return 10000;
}

/* Waits for readiness and answers it; false if there was none for too long. */
static bool turn(void) {
  int patience = wake();
  struct epoll_event events[256];
  int ready = live == 0 ? 0 : epoll_wait(poller, events, 256, patience);
  if (ready < 0 && errno != EINTR) die("epoll_wait");
  if (ready == 0 && live > 0 && patience == 10000) {
    fprintf(stderr, "load: nothing for 10 s\n");
    result.failed++;
    return false;
  }
  for (int index = 0; index < ready; index++) handle(events[index].data.ptr);
  return true;
}

/* Each connection that is there makes one more request; true once all have their answers. */
static bool ask_again(void) {
  forget();
  double start = now();
  for (long index = 0; index < options.connections; index++) {
    struct connection *c = &connections[index];
    if (c->stage != STAGE_OPEN) continue;
    if (!(options.is_http2 ? http2_request(c) : http1_request(c)) || !flush(c)) close_connection(c);
  }
  while (result.waiting > 0 && turn()) continue;
  report(now() - start);
  return result.failed == 0;
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
  is_waiting_for_all = options.is_steady;
  deadline = options.is_steady ? HUGE_VAL : start + options.seconds;
  /* Made a few at a time: a queue of SYNs is no part of the question. */
  for (long begun = 0; begun < options.connections || opening > 0;) {
    while (begun < options.connections && opening < 32) open_connection(&connections[begun++]);
    if (!turn()) break;
    /* What is over already was not opened again. */
    if (!options.idles && !may_issue() && live == 0) break;
  }
  if (options.is_steady) start = begin_together(start);
  while ((options.idles ? result.waiting : live) > 0 && turn()) continue;
  report(now() - start);
  while (options.idles) {
    /* A line asks for one more answer of each; the end of input is theirs too. */
    int character = getchar();
    if (character == EOF || (character == '\n' && !ask_again())) break;
  }
  long missing = options.idles ? 0 : result.issued - result.answered - result.reset;
  if (result.failed == 0 && missing > 0) {
    fprintf(stderr, "load: %ld of %ld requests were not answered\n", missing, result.issued);
  }
  return result.failed == 0 && missing <= 0 ? 0 : 1;
}
