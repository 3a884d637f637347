// OpenSSL's macros that Swift cannot import, as inline functions. Real functions import as they are.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "digests.h"
#include "keys.h"
#include "timestamps.h"

// Contexts.

static inline int tide_ssl_ctx_set_protocol_range(SSL_CTX *context, int lowest, int highest) {
  return SSL_CTX_set_min_proto_version(context, lowest) == 1 &&
         SSL_CTX_set_max_proto_version(context, highest) == 1;
}

// No compression (CVE-2012-4929), no renegotiation (RFC 9325 §3.5), our own order of suites but
// ChaCha20 first for a client that puts it first (it has no AES instructions).
static inline void tide_ssl_ctx_set_common_options(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
}

static inline void tide_ssl_ctx_forbid_tickets(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
}

// Read and write buffers are freed while idle; no issuer is looked up for the chain to send.
static inline void tide_ssl_ctx_set_common_modes(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
}

static inline int tide_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
  return SSL_CTX_set1_groups_list(context, groups) == 1;
}

static inline int tide_ssl_ctx_set_signature_algorithms(SSL_CTX *context, const char *algorithms) {
  return SSL_CTX_set1_sigalgs_list(context, algorithms) == 1;
}

// Sessions.

// For one session, whatever its context does.
static inline void tide_ssl_forbid_tickets(SSL *session) {
  SSL_set_options(session, SSL_OP_NO_TICKET);
  SSL_set_num_tickets(session, 0);
}

static inline int tide_ssl_set_highest_protocol(SSL *session, int version) {
  return SSL_set_max_proto_version(session, version) == 1;
}

static inline int tide_ssl_set_server_name(SSL *session, const char *name) {
  return SSL_set_tlsext_host_name(session, name) == 1;
}

// Takes a reference of its own.
static inline int tide_ssl_add_chain_certificate(SSL *session, X509 *certificate) {
  return SSL_add1_chain_cert(session, certificate) == 1;
}

static inline void tide_bio_set_retry_read(BIO *bio) {
  BIO_clear_retry_flags(bio);
  BIO_set_retry_read(bio);
}

static inline void tide_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

// The bytes in a memory BIO, which keeps them.
static inline long tide_bio_memory(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

// Certificates.

// A distinguished name by RFC 2253, with UTF-8 as it is.
static inline int tide_x509_print_name(BIO *bio, const X509_NAME *name) {
  return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
}

// Keys.

// An EC key that is held as an EC_KEY, not by a provider: X509_set_pubkey takes 4 µs with it instead
// of 135 µs, because nothing is encoded and decoded again. The calls are deprecated since 3.0; once
// they are gone, EVP_EC_gen("P-256") takes this function's place.
static inline EVP_PKEY *tide_generate_p256(void) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
  EVP_PKEY *key = EVP_PKEY_new();
  if (ec == NULL || key == NULL || EC_KEY_generate_key(ec) != 1 ||
      EVP_PKEY_assign_EC_KEY(key, ec) != 1) {
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    return NULL;
  }
  return key;
#pragma GCC diagnostic pop
}

static inline EVP_PKEY *tide_generate_rsa2048(void) { return EVP_RSA_gen(2048); }

// Resumption, client certificates, key exchange groups.

// Stateless tickets, one for each TLS 1.3 handshake, and for as long as the sessions live.
static inline void tide_ssl_ctx_permit_tickets(SSL_CTX *context, long lifetime) {
  SSL_CTX_set_timeout(context, lifetime);
  SSL_CTX_set_num_tickets(context, 1);
}

// New sessions go to the callback and nowhere else.
static inline void tide_ssl_ctx_report_sessions(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

// HMAC-SHA256 with this key in a context that libssl made for HMAC.
static inline int tide_mac_set_hmac_sha256(EVP_MAC_CTX *mac, unsigned char *key, size_t count) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[3];
  parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, count);
  parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
  parameters[2] = OSSL_PARAM_construct_end();
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

// The group of the key exchange, in libssl's spelling; NULL if there was none.
static inline const char *tide_ssl_group_name(SSL *session) {
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
  return SSL_get0_group_name(session);
#else
  int group = (int)SSL_get_negotiated_group(session);
  return group == NID_undef ? NULL : SSL_group_to_name(session, group);
#endif
}

// Whether the session signed in this handshake: as a client, that it gave a certificate.
static inline int tide_ssl_has_signed(SSL *session) {
  int kind = NID_undef;
  return SSL_get_signature_type_nid(session, &kind) == 1;
}

// Verification of upstreams.

#include <openssl/ct.h>
#include <openssl/ocsp.h>

// Asks for a stapled OCSP response and has the callback judge it, also if none comes.
static inline void tide_ssl_ctx_request_status(SSL_CTX *context, int (*judge)(SSL *, void *)) {
  SSL_CTX_set_tlsext_status_cb(context, judge);
  SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
}

// The stapled response, which the session keeps; its size, or -1.
static inline long tide_ssl_status_response(SSL *session, const unsigned char **bytes) {
  return SSL_get_tlsext_status_ocsp_resp(session, bytes);
}

static inline void tide_ssl_ctx_set_largest_chain(SSL_CTX *context, long bytes) {
  SSL_CTX_set_max_cert_list(context, bytes);
}
