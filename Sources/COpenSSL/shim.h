// OpenSSL's macros that Swift cannot import, as inline functions. Real functions import as they are.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
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

static inline void tide_ssl_ctx_disable_session_cache(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static inline int tide_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
  return SSL_CTX_set1_groups_list(context, groups) == 1;
}

static inline int tide_ssl_ctx_set_signature_algorithms(SSL_CTX *context, const char *algorithms) {
  return SSL_CTX_set1_sigalgs_list(context, algorithms) == 1;
}

// Sessions.

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
