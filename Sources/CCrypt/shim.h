// libxcrypt: crypt_ra verifies bcrypt hashes with memory of its own.
#pragma once
#include <crypt.h>
