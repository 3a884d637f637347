// Keys that OpenSSL has no single call for: encrypted with a strong derivation, or in a PKCS#11 token.
#pragma once
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#ifndef OPENSSL_NO_ENGINE
#include <openssl/engine.h>
#endif

// Writes a key as encrypted PKCS#8: AES-256-CBC, PBKDF2 with HMAC-SHA256.
static inline int tide_write_encrypted_key(BIO *out, EVP_PKEY *key, const unsigned char *passphrase,
                                           int length, int rounds) {
  int written = 0;
  X509_SIG *sealed = NULL;
  PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
  X509_ALGOR *scheme =
      PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), rounds, NULL, 16, NULL, NID_hmacWithSHA256);
  if (plain != NULL && scheme != NULL) {
    sealed = PKCS8_set0_pbe((const char *)passphrase, length, plain, scheme);
    if (sealed != NULL) {
      scheme = NULL;  // now the result's
      written = PEM_write_bio_PKCS8(out, sealed);
    }
  }
  X509_SIG_free(sealed);
  X509_ALGOR_free(scheme);
  PKCS8_PRIV_KEY_INFO_free(plain);
  return written;
}

// Answers the token's question for its PIN; without one it declines, where OpenSSL's own way would be
// to ask on the terminal.
static inline int tide_answer_pin(char *room, int size, int for_writing, void *pin) {
  (void)for_writing;
  size_t count = pin == NULL ? 0 : strlen((const char *)pin);
  if (count == 0 || count > (size_t)size) return -1;
  memcpy(room, pin, count);
  return (int)count;
}

// By a provider, in a library context of its own, which lives as long as the process: in the default one
// a token might be asked for digests and random numbers too.
static inline EVP_PKEY *tide_load_token_key_by_provider(const char *uri, const char *module,
                                                        const UI_METHOD *ui, void *pin,
                                                        int *is_reachable) {
  EVP_PKEY *key = NULL;
  OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
  if (context == NULL) return NULL;
  // The provider's own name for where the module is; its settings in openssl.cnf hold otherwise.
  if (module != NULL) setenv("PKCS11_PROVIDER_MODULE", module, 1);
  char *settings = CONF_get1_default_config_file();
  if (settings != NULL) OSSL_LIB_CTX_load_config(context, settings);
  OPENSSL_free(settings);
  if (OSSL_PROVIDER_load(context, "default") != NULL &&
      OSSL_PROVIDER_load(context, "pkcs11") != NULL) {
    *is_reachable = 1;
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, context, NULL, ui, pin, NULL, NULL, NULL);
    if (store != NULL) OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (store != NULL && key == NULL && !OSSL_STORE_eof(store)) {
      OSSL_STORE_INFO *found = OSSL_STORE_load(store);
      if (found == NULL) break;
      if (OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_PKEY) {
        key = OSSL_STORE_INFO_get1_PKEY(found);
      }
      OSSL_STORE_INFO_free(found);
    }
    OSSL_STORE_close(store);
  }
  if (key == NULL) OSSL_LIB_CTX_free(context);
  return key;
}

// By an engine: the way of OpenSSL 3 before there was a provider, deprecated and gone in 4.
static inline EVP_PKEY *tide_load_token_key_by_engine(const char *uri, const char *module,
                                                      UI_METHOD *ui, void *pin,
                                                      int *is_reachable) {
#ifdef OPENSSL_NO_ENGINE
  (void)uri, (void)module, (void)ui, (void)pin, (void)is_reachable;
  return NULL;
#else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  EVP_PKEY *key = NULL;
  ENGINE *engine = ENGINE_by_id("pkcs11");
  if (engine == NULL) return NULL;
  *is_reachable = 1;
  if ((module == NULL || ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) == 1) &&
      ENGINE_init(engine) == 1) {
    // The engine keeps a copy of the PIN, but would keep no more than a pointer to what a question is
    // answered from; a key that is to be unlocked for every signature asks again long after this.
    if (pin == NULL || ENGINE_ctrl_cmd_string(engine, "PIN", (const char *)pin, 0) == 1) {
      key = ENGINE_load_private_key(engine, uri, ui, NULL);
    }
    // The key has a reference of its own.
    ENGINE_finish(engine);
  }
  ENGINE_free(engine);
  return key;
#pragma GCC diagnostic pop
#endif
}

// Finds a private key by its PKCS#11 URI; NULL with the error queued. `is_reachable` becomes 1 if there
// was any way to tokens. What answers questions is as good as static, since the engine holds on to it.
static inline EVP_PKEY *tide_load_token_key(const char *uri, const char *module, const char *pin,
                                            int *is_reachable) {
  UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(tide_answer_pin, 0);
  if (ui == NULL) return NULL;
  EVP_PKEY *key = tide_load_token_key_by_provider(uri, module, ui, (void *)pin, is_reachable);
  if (key == NULL && *is_reachable == 0) {
    ERR_clear_error();
    key = tide_load_token_key_by_engine(uri, module, ui, (void *)pin, is_reachable);
  }
  if (key == NULL) UI_destroy_method(ui);
  return key;
}

// One subtree of name constraints: its kind of name (GEN_DNS, GEN_IPADD, ...) and, for these two, its
// bytes, which the constraints keep. 0 past the last; -1 if it has a minimum or maximum, which RFC 5280
// §4.2.1.10 does not allow.
static inline int tide_name_constraint(const NAME_CONSTRAINTS *constraints, int is_excluded, int index,
                                       int *kind, const unsigned char **bytes, int *count) {
  const STACK_OF(GENERAL_SUBTREE) *list =
      is_excluded ? constraints->excludedSubtrees : constraints->permittedSubtrees;
  if (index >= sk_GENERAL_SUBTREE_num(list)) return 0;
  const GENERAL_SUBTREE *subtree = sk_GENERAL_SUBTREE_value(list, index);
  if ((subtree->minimum != NULL && ASN1_INTEGER_get(subtree->minimum) != 0) ||
      subtree->maximum != NULL) {
    return -1;
  }
  const ASN1_STRING *text = NULL;
  *kind = subtree->base->type;
  if (*kind == GEN_DNS) text = subtree->base->d.dNSName;
  if (*kind == GEN_IPADD) text = subtree->base->d.iPAddress;
  *bytes = text == NULL ? NULL : ASN1_STRING_get0_data(text);
  *count = text == NULL ? 0 : ASN1_STRING_length(text);
  return 1;
}

// OpenSSL's name for a subject before 1.0, which Android keeps; MD5, so it may not be known.
static inline unsigned long tide_x509_subject_hash_old(X509 *certificate, int *is_known) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  unsigned char *name = NULL;
  int count = i2d_X509_NAME(X509_get_subject_name(certificate), &name);
  EVP_MD *md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
  *is_known = count > 0 && md5 != NULL &&
              EVP_Digest(name, (size_t)count, digest, &length, md5, NULL) == 1 && length >= 4;
  OPENSSL_free(name);
  EVP_MD_free(md5);
  ERR_clear_error();
  if (!*is_known) return 0;
  return (unsigned long)digest[0] | (unsigned long)digest[1] << 8 | (unsigned long)digest[2] << 16 |
         (unsigned long)digest[3] << 24;
}
