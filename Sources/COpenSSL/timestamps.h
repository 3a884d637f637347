// RFC 3161: requests for time-stamps, their way to an authority, and what came back. Each of OpenSSL's
// calls here has macros, ownership or variants by version that Swift had better not see.
#pragma once
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/pkcs7.h>
#include <openssl/ssl.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <signal.h>
#include <string.h>
#include <time.h>

// A request for a time-stamp of a SHA-256 digest, with certificates asked for; NULL without memory.
static inline TS_REQ *tide_ts_request(const unsigned char *digest, const unsigned char *nonce,
                                      int nonce_count) {
  TS_REQ *request = TS_REQ_new();
  TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
  X509_ALGOR *algorithm = X509_ALGOR_new();
  BIGNUM *number = nonce_count > 0 ? BN_bin2bn(nonce, nonce_count, NULL) : NULL;
  ASN1_INTEGER *value = number != NULL ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
  int is_good = request != NULL && imprint != NULL && algorithm != NULL &&
                (nonce_count == 0 || value != NULL) && TS_REQ_set_version(request, 1) == 1 &&
                X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) == 1 &&
                TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 &&
                TS_MSG_IMPRINT_set_msg(imprint, (unsigned char *)digest, 32) == 1 &&
                TS_REQ_set_msg_imprint(request, imprint) == 1 &&
                (value == NULL || TS_REQ_set_nonce(request, value) == 1) &&
                TS_REQ_set_cert_req(request, 1) == 1;
  // The request has copies of all of these.
  ASN1_INTEGER_free(value);
  BN_free(number);
  X509_ALGOR_free(algorithm);
  TS_MSG_IMPRINT_free(imprint);
  if (is_good) return request;
  TS_REQ_free(request);
  return NULL;
}

// Answers OpenSSL's HTTP client: puts TLS over a connection, and takes it off again.
static inline BIO *tide_ts_put_tls(BIO *bio, void *session, int is_connect, int detail) {
  (void)detail;
  BIO *tls = NULL;
  if (!is_connect) {
    BIO *below = BIO_pop(bio);
    BIO_free(bio);
    return below;
  }
  if ((tls = BIO_new(BIO_f_ssl())) == NULL || SSL_up_ref((SSL *)session) != 1) {
    BIO_free(tls);
    return NULL;
  }
  BIO_set_ssl(tls, (SSL *)session, BIO_CLOSE);
  return BIO_push(tls, bio);
}

// A connection, or NULL with the error queued. OpenSSL's own way would try again where it is refused.
static inline BIO *tide_ts_connect(const char *host, const char *port, int seconds) {
  time_t deadline = time(NULL) + seconds;
  BIO *bio = BIO_new(BIO_s_connect());
  int is_done = 0;
  if (bio == NULL || BIO_set_conn_hostname(bio, host) != 1 || BIO_set_conn_port(bio, port) != 1) goto end;
  BIO_set_nbio(bio, 1);
  while ((is_done = BIO_do_connect(bio) == 1) == 0 && BIO_should_retry(bio)) {
    if (BIO_wait(bio, deadline, 50) != 1) break;
  }
end:
  if (is_done) return bio;
  BIO_free_all(bio);
  return NULL;
}

// A session that takes a server for `host` only if the system's roots, or SSL_CERT_FILE, say so.
static inline SSL *tide_ts_tls_session(const char *host) {
  SSL *session = NULL;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (context != NULL && SSL_CTX_set_default_verify_paths(context) == 1 &&
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    session = SSL_new(context);
  }
  SSL_CTX_free(context);
  if (session == NULL) return NULL;
  SSL_set_connect_state(session);
  if (SSL_set1_host(session, host) == 1 && SSL_set_tlsext_host_name(session, host) == 1) {
    return session;
  }
  SSL_free(session);
  return NULL;
}

// Whether a URL is one that a request can be sent to: http or https, with no user in it.
static inline int tide_ts_is_url(const char *url) {
  int uses_tls = 0;
  char *user = NULL, *host = NULL;
  int is_good = OSSL_HTTP_parse_url(url, &uses_tls, &user, &host, NULL, NULL, NULL, NULL, NULL) == 1 &&
                host != NULL && *host != 0 && (user == NULL || *user == 0) && strstr(url, "://") != NULL;
  OPENSSL_free(user);
  OPENSSL_free(host);
  ERR_clear_error();
  return is_good;
}

// Posts a request and reads the DER of the answer into a memory BIO; NULL with the error queued. Directly,
// through no proxy; redirections are not followed.
static inline BIO *tide_ts_post(const char *url, TS_REQ *request, int seconds, size_t limit) {
  int uses_tls = 0;
  char *host = NULL, *port = NULL, *path = NULL, *query = NULL, *target = NULL;
  BIO *body = BIO_new(BIO_s_mem()), *connection = NULL, *answer = NULL;
  SSL *session = NULL;
  if (body == NULL || i2d_TS_REQ_bio(body, request) != 1) goto end;
  if (OSSL_HTTP_parse_url(url, &uses_tls, NULL, &host, &port, NULL, &path, &query, NULL) != 1) goto end;
  if (uses_tls && (session = tide_ts_tls_session(host)) == NULL) goto end;
  int has_query = query != NULL && *query != 0;
  size_t room = strlen(path) + (has_query ? strlen(query) : 0) + 2;
  if ((target = OPENSSL_malloc(room)) == NULL) goto end;
  BIO_snprintf(target, room, "%s%s%s", path, has_query ? "?" : "", has_query ? query : "");
  // A server that hangs up early is an error to report, not a signal to die of.
  sigset_t pipe_signal, before;
  struct timespec at_once = {0, 0};
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  if ((connection = tide_ts_connect(host, port, seconds)) != NULL) {
    answer = OSSL_HTTP_transfer(NULL, host, port, target, uses_tls, NULL, NULL, connection, NULL,
                                uses_tls ? tide_ts_put_tls : NULL, session, 0, NULL,
                                "application/timestamp-query", body, "application/timestamp-reply", 1,
                                limit, seconds, 0);
  }
  while (sigtimedwait(&pipe_signal, NULL, &at_once) == SIGPIPE) {
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
end:
  BIO_free_all(connection);
  SSL_free(session);
  OPENSSL_free(target);
  OPENSSL_free(query);
  OPENSSL_free(path);
  OPENSSL_free(port);
  OPENSSL_free(host);
  BIO_free(body);
  return answer;
}

// An answer that fills the bytes; NULL if they are none.
static inline TS_RESP *tide_ts_read(const unsigned char *bytes, long count) {
  const unsigned char *place = bytes;
  TS_RESP *answer = d2i_TS_RESP(NULL, &place, count);
  if (answer != NULL && place == bytes + count) return answer;
  TS_RESP_free(answer);
  return NULL;
}

// Whether the answer has a token: it was granted, with or without changes.
static inline int tide_ts_is_granted(TS_RESP *answer) {
  const ASN1_INTEGER *status = TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(answer));
  long number = ASN1_INTEGER_get(status);
  return (number == TS_STATUS_GRANTED || number == TS_STATUS_GRANTED_WITH_MODS) &&
         TS_RESP_get_token(answer) != NULL && TS_RESP_get_tst_info(answer) != NULL;
}

// What the authority says of why not.
static inline void tide_ts_print_status(TS_RESP *answer, BIO *out) {
  TS_STATUS_INFO_print_bio(out, TS_RESP_get_status_info(answer));
}

// The one who signed the token: the answer's own certificate; NULL if there is none. Not a new reference.
static inline X509 *tide_ts_signer(TS_RESP *answer) {
  PKCS7 *token = TS_RESP_get_token(answer);
  if (token == NULL || !PKCS7_type_is_signed(token)) return NULL;
  STACK_OF(X509) *signers = PKCS7_get0_signers(token, NULL, 0);
  X509 *signer = sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;
  sk_X509_free(signers);
  return signer;
}

static inline void tide_ts_print_signer(TS_RESP *answer, BIO *out) {
  X509 *signer = tide_ts_signer(answer);
  if (signer == NULL) return;
  X509_NAME_print_ex(out, X509_get_subject_name(signer), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
}

static inline void tide_ts_print_serial(TS_RESP *answer, BIO *out) {
  i2a_ASN1_INTEGER(out, TS_TST_INFO_get_serial(TS_RESP_get_tst_info(answer)));
}

// The token's time in seconds since 1970, and its digits after the second; 0 if it has none.
static inline int tide_ts_time(TS_RESP *answer, long long *seconds, char *fraction, size_t room) {
  struct tm parts;
  const ASN1_GENERALIZEDTIME *time = TS_TST_INFO_get_time(TS_RESP_get_tst_info(answer));
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  int days = 0, rest = 0;
  int is_good = time != NULL && epoch != NULL && ASN1_TIME_to_tm(time, &parts) == 1 &&
                ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  if (!is_good || room == 0) return 0;
  *seconds = (long long)days * 86400 + rest;
  const char *text = (const char *)ASN1_STRING_get0_data(time);
  int count = ASN1_STRING_length(time);
  size_t digits = 0;
  for (int i = 15; i < count && digits + 1 < room && text[i] >= '0' && text[i] <= '9'; i++) {
    fraction[digits++] = text[i];
  }
  fraction[digits] = 0;
  return 1;
}

// Lets a chain pass that leads to no root we know; everything else about it still counts.
static inline int tide_ts_pass_unknown_root(int is_good, X509_STORE_CTX *context) {
  if (is_good) return 1;
  switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return 1;
    default:
      return 0;
  }
}

// Checks an answer against the request that it should be for: status, imprint, nonce, signature and
// the signer's chain, at the time that the token states. Roots are those of a PEM file, or the system's if
// `roots` is NULL; with `any_root` the chain may end in one that is not known. 0 with the error queued.
static inline int tide_ts_check(TS_RESP *answer, TS_REQ *request, const char *roots, int any_root) {
  long long seconds = 0;
  char fraction[2];
  int is_good = 0;
  TS_VERIFY_CTX *context = TS_REQ_to_TS_VERIFY_CTX(request, NULL);
  X509_STORE *store = X509_STORE_new();
  if (context == NULL || store == NULL || !tide_ts_time(answer, &seconds, fraction, sizeof fraction)) {
    goto end;
  }
  if ((roots == NULL ? X509_STORE_set_default_paths(store) : X509_STORE_load_file(store, roots)) != 1) {
    goto end;
  }
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)seconds);
  if (any_root) X509_STORE_set_verify_cb(store, tide_ts_pass_unknown_root);
  TS_VERIFY_CTX_add_flags(context, TS_VFY_SIGNATURE);
  TS_VERIFY_CTX_set_store(context, store);
  store = NULL;  // now the context's
  is_good = TS_RESP_verify_response(context, answer) == 1;
end:
  X509_STORE_free(store);
  TS_VERIFY_CTX_free(context);
  return is_good;
}

// Empties the error queue into text: each reason with what was added to it.
static inline void tide_ts_print_errors(BIO *out) {
  const char *data = NULL;
  int flags = 0, is_first = 1;
  unsigned long number;
  while ((number = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
    const char *reason =
        ERR_SYSTEM_ERROR(number) ? strerror(ERR_GET_REASON(number)) : ERR_reason_error_string(number);
    int has_data = (flags & ERR_TXT_STRING) != 0 && data != NULL && *data != 0;
    if (reason == NULL && !has_data) continue;
    BIO_printf(out, "%s%s%s%s%s", is_first ? "" : ", ", reason == NULL ? "" : reason, has_data ? " (" : "",
               has_data ? data : "", has_data ? ")" : "");
    is_first = 0;
  }
}
