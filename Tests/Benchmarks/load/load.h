/* A load client for proxies that intercept TLS: what its parts share. */
#ifndef LOAD_H
#define LOAD_H

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* What is asked for, from the command line. */
struct options {
  int port;             /* the proxy's, on 127.0.0.1 */
  int authority_port;   /* the origin's, in CONNECT and Host */
  bool connects;        /* CONNECT first; otherwise TLS at once */
  bool is_http2;
  bool closes;          /* a new connection for each request */
  bool resumes;         /* offers the sessions of earlier connections */
  bool idles;           /* one request each, then nothing until standard input ends */
  long connections;
  long streams;
  long requests;        /* 0: until the time is over */
  double seconds;
  long names;           /* how many names there are */
  long first_name;      /* the number of the first */
  const char *pattern;  /* printf's, with one %07ld, or a name */
  const char *path;
  const char *authority_file;  /* the CA that leaves are verified with */
  const char *expected_file;   /* an answer's content, repeated until it is `length` long */
  uint64_t length;
  uint64_t upload;      /* how long a request's content is; 0: GET */
  long sources;         /* from how many addresses: 127.0.0.1 and up */
  double think;         /* seconds between an answer and the next request of an HTTP/1.1 connection */
  long resets;          /* of HTTP/2, each so manieth stream is reset at its first byte; 0: none */
  bool is_steady;       /* what is counted begins when all connections are open, which is said */
};

/* What happened. */
struct result {
  long issued;
  long answered;
  long failed;
  long handshakes;
  long resumed;
  long reset;            /* streams, by us */
  long waiting;          /* requests that have no answer yet */
  uint64_t bytes;
  double first_answer;   /* CLOCK_MONOTONIC, when the first byte of the first answer was decrypted */
  uint32_t *latencies;   /* microseconds */
  size_t latency_count;
  size_t latency_room;
};

enum stage { STAGE_TCP, STAGE_PROXY, STAGE_TLS, STAGE_OPEN, STAGE_GONE };

/* One answer under way. */
struct exchange {
  double start;
  uint64_t received;
  int status;
  int64_t declared;      /* Content-Length; -1 while unknown */
  uint64_t uploaded;
  bool is_reset;
};

struct connection {
  enum stage stage;
  int fd;
  SSL *ssl;
  double start;
  char name[256];
  bool wants_write;
  size_t out_start, out_end;
  /* HTTP/1: how much of the head is here, and the exchange. */
  size_t head_size;
  bool in_body, ends_after;
  struct exchange exchange;
  bool busy;
  /* HTTP/2. */
  nghttp2_session *session;
  long open_streams;
  /* Until when it thinks. */
  double due;
  TAILQ_ENTRY(connection) after;
  /* What waits to be written before anything else, and the head so far: never cleared. */
  char out[65536 + 1024];
  char head[16384];
};

extern struct options options;
extern struct result result;
extern char *expected;
extern size_t expected_size;

void read_options(int count, char **words);
void load_expected(void);
void die(const char *what);

double now(void);
bool may_issue(void);
/* Has a connection make its next request a while later. */
void rest(struct connection *connection);
void failed(struct connection *connection, const char *what);
void answered(struct exchange *exchange);
/* Forgets what was counted but for connections and failures. */
void forget(void);
void report(double seconds);
bool matches(uint64_t offset, const char *bytes, size_t count);

/* Each false if the connection is of no use any more. */
bool http1_request(struct connection *connection);
bool http1_received(struct connection *connection, const char *bytes, size_t count);
/* Whether content of the request is still to be put into `out`. */
bool http1_fill(struct connection *connection);
bool http2_begin(struct connection *connection);
bool http2_request(struct connection *connection);
bool http2_received(struct connection *connection, const char *bytes, size_t count);
bool http2_fill(struct connection *connection);

#endif
