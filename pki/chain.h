#pragma once

#include "base/result.h"
#include "pki/certificate.h"
#include "pki/key.h"

#include <span>

namespace meshtrust::pki {

/// Whether each certificate was issued by the next: names as bytes, signature verified (RFC 8446
/// 4.4.2 and what peers are shown). Dates and roots are the business of `judge`. kInvalidInput
/// naming the first pair that does not fit; an empty or single chain is in order.
base::Status check_order(std::span<const Certificate> chain);

/// The first of `candidates` that issued `certificate` (name and signature), or null.
const Certificate* find_issuer(const Certificate& certificate,
                               std::span<const Certificate> candidates);

/// Whether `certificate` is for the key that `key` signs with.
bool is_for_key(const Certificate& certificate, const Signer& key);

}  // namespace meshtrust::pki
