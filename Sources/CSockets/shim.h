// Linux's sockets and epoll, without what Swift cannot import: unions, packed structures, sockaddr casts, errno.
// What can fail answers with the negative error number. Addresses are 4 or 16 bytes in network order.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

// A GNU extension that the headers hide from plain C.
extern int accept4(int, struct sockaddr *, socklen_t *, int);

// Names the calling thread, for people who look at it from outside; 15 bytes of it count.
static inline void tide_name_thread(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

static inline int tide_epoll_make(void) {
  int made = epoll_create1(EPOLL_CLOEXEC);
  return made < 0 ? -errno : made;
}

static inline int tide_epoll_set(int selector, int operation, int descriptor, uint32_t interest,
                                 uint64_t token) {
  struct epoll_event event = {.events = interest, .data = {.u64 = token}};
  return epoll_ctl(selector, operation, descriptor, &event) < 0 ? -errno : 0;
}

static inline int tide_epoll_wait(int selector, struct epoll_event *events, int most,
                                  int milliseconds) {
  int count = epoll_wait(selector, events, most, milliseconds);
  return count < 0 ? -errno : count;
}

static inline uint64_t tide_event_token(const struct epoll_event *event) { return event->data.u64; }
static inline uint32_t tide_event_bits(const struct epoll_event *event) { return event->events; }

static inline int tide_wakeup_make(void) {
  int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return made < 0 ? -errno : made;
}

static inline void tide_wakeup_ring(int descriptor) {
  uint64_t one = 1;
  (void)!write(descriptor, &one, sizeof one);
}

static inline void tide_wakeup_hush(int descriptor) {
  uint64_t count;
  (void)!read(descriptor, &count, sizeof count);
}

static inline socklen_t tide_sockaddr(struct sockaddr_storage *room, const uint8_t *address,
                                      int length, uint16_t port) {
  memset(room, 0, sizeof *room);
  if (length == 4) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)room;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    memcpy(&v4->sin_addr, address, 4);
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)room;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  memcpy(&v6->sin6_addr, address, 16);
  return sizeof *v6;
}

// Writes the address and port of `from`; the address's length, or -EAFNOSUPPORT.
static inline int tide_address_of(const struct sockaddr_storage *from, uint8_t address[16],
                                  uint16_t *port) {
  if (from->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    *port = ntohs(v4->sin_port);
    memcpy(address, &v4->sin_addr, 4);
    return 4;
  }
  if (from->ss_family != AF_INET6) return -EAFNOSUPPORT;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
  *port = ntohs(v6->sin6_port);
  memcpy(address, &v6->sin6_addr, 16);
  return 16;
}

static inline int tide_tcp_make(int length) {
  int family = length == 4 ? AF_INET : AF_INET6;
  int made = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return made < 0 ? -errno : made;
}

static inline int tide_tcp_set(int descriptor, int option, int value) {
  return setsockopt(descriptor, SOL_SOCKET, option, &value, sizeof value);
}

// Closes what was made for nothing; the reason, negative.
static inline int tide_tcp_failed(int made) {
  int error = errno;
  close(made);
  return -error;
}

// Binds and does not listen. Unless `shares_port`, the port is asked for as if nobody might share
// it: SO_REUSEADDR helps only past connections of before that wait for their end, and is taken off
// again, or a second claim would find room beside this one. SO_REUSEPORT comes last, for the
// listeners that share the port with it.
static inline int tide_tcp_claim(const uint8_t *address, int length, uint16_t port,
                                 int shares_port) {
  int made = tide_tcp_make(length);
  if (made < 0) return made;
  struct sockaddr_storage room;
  socklen_t size = tide_sockaddr(&room, address, length, port);
  if (shares_port && tide_tcp_set(made, SO_REUSEPORT, 1) < 0) return tide_tcp_failed(made);
  if (bind(made, (struct sockaddr *)&room, size) < 0 &&
      (errno != EADDRINUSE || tide_tcp_set(made, SO_REUSEADDR, 1) < 0 ||
       bind(made, (struct sockaddr *)&room, size) < 0))
    return tide_tcp_failed(made);
  if (tide_tcp_set(made, SO_REUSEADDR, 0) < 0 || tide_tcp_set(made, SO_REUSEPORT, 1) < 0)
    return tide_tcp_failed(made);
  return made;
}

// Beside others of ours (SO_REUSEPORT). What is accepted inherits TCP_NODELAY.
static inline int tide_tcp_listen(const uint8_t *address, int length, uint16_t port, int backlog) {
  int made = tide_tcp_make(length), one = 1;
  if (made < 0) return made;
  struct sockaddr_storage room;
  socklen_t size = tide_sockaddr(&room, address, length, port);
  if (tide_tcp_set(made, SO_REUSEADDR, 1) < 0 || tide_tcp_set(made, SO_REUSEPORT, 1) < 0 ||
      setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
      bind(made, (struct sockaddr *)&room, size) < 0 || listen(made, backlog) < 0)
    return tide_tcp_failed(made);
  return made;
}

static inline int tide_tcp_accept(int listener, uint8_t address[16], int *length, uint16_t *port) {
  struct sockaddr_storage room;
  socklen_t size = sizeof room;
  int taken = accept4(listener, (struct sockaddr *)&room, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (taken < 0) return -errno;
  *length = tide_address_of(&room, address, port);
  return taken;
}

static inline int tide_tcp_connect(const uint8_t *address, int length, uint16_t port,
                                   int *is_connected) {
  int made = tide_tcp_make(length), one = 1;
  if (made < 0) return made;
  struct sockaddr_storage room;
  socklen_t size = tide_sockaddr(&room, address, length, port);
  (void)setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  *is_connected = connect(made, (struct sockaddr *)&room, size) == 0;
  // Interrupted, it goes on by itself.
  if (*is_connected || errno == EINPROGRESS || errno == EINTR) return made;
  int error = errno;
  close(made);
  return -error;
}

// What a connect came to: 0, or the error.
static inline int tide_tcp_outcome(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
  return -error;
}

// The address of the socket's own side or of its peer's: its length, or an error.
static inline int tide_tcp_name(int descriptor, int is_peer, uint8_t address[16], uint16_t *port) {
  struct sockaddr_storage room;
  socklen_t size = sizeof room;
  int result = is_peer ? getpeername(descriptor, (struct sockaddr *)&room, &size)
                       : getsockname(descriptor, (struct sockaddr *)&room, &size);
  return result < 0 ? -errno : tide_address_of(&room, address, port);
}

static inline ssize_t tide_receive(int descriptor, void *room, size_t size) {
  ssize_t count;
  do count = recv(descriptor, room, size, 0);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

static inline ssize_t tide_send(int descriptor, const void *bytes, size_t size) {
  ssize_t count;
  do count = send(descriptor, bytes, size, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

static inline void tide_end_writing(int descriptor) { (void)shutdown(descriptor, SHUT_WR); }

// Without lingering, close sends RST: the peer learns that the rest is missing.
static inline void tide_close(int descriptor, int resets) {
  struct linger none = {.l_onoff = 1, .l_linger = 0};
  if (resets) (void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  (void)close(descriptor);
}
