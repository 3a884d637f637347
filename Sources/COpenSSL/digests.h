// SHA-256 in memory of the caller's own. For each digest EVP makes a state, clears it and gives it back, which
// for the digest of one line costs as much as a third of the line; the provider calls the same functions.
#pragma once
#include <openssl/sha.h>

static inline void tide_sha256_begin(SHA256_CTX *state) { (void)SHA256_Init(state); }

static inline void tide_sha256_add(SHA256_CTX *state, const void *bytes, size_t count) {
  if (count > 0) (void)SHA256_Update(state, bytes, count);
}

// The digest goes to 32 bytes; the state is to be begun again.
static inline void tide_sha256_end(SHA256_CTX *state, unsigned char *digest) {
  (void)SHA256_Final(digest, state);
}
