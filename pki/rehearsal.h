#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "pki/handle.h"
#include "pki/key.h"

// What is signed is first signed by a worthless key: here is that key, and how its signature is
// taken off again. A certificate and a revocation list have the same shape (RFC 5280 4.1, 5.1).

namespace meshtrust::pki {

/// A key of the kind of `algorithm` that protects nothing. For RSA one a process, of 2048 bits:
/// what is rehearsed holds the signature's algorithm and not the size of the key.
base::Result<Pkey> worthless_key(KeyAlgorithm algorithm);

/// The digest that goes with a key of this kind.
const EVP_MD* digest_for(KeyAlgorithm algorithm);

/// The part of `der` that is signed, header included.
base::ByteView signed_part(base::ByteView der);

/// `der` with `signature` in the place of the one it carries.
base::Bytes with_signature(base::ByteView der, base::ByteView signature);

}  // namespace meshtrust::pki
