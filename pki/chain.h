#pragma once

#include "base/result.h"
#include "pki/certificate.h"
#include "pki/key.h"

#include <optional>
#include <span>
#include <string>

namespace meshtrust::pki {

/// Whether each certificate was issued by the next: names as bytes, signature verified (RFC 8446
/// 4.4.2 and what peers are shown). Dates and roots are the business of `judge`. kInvalidInput
/// naming the first pair that does not fit; an empty or single chain is in order.
base::Status check_order(std::span<const Certificate> chain);

/// The first of `candidates` that issued it (name, signature, if possible its serial), or null.
const Certificate* find_issuer(const Certificate& certificate,
                               std::span<const Certificate> candidates);

/// The serial (lower-case hex) by which the authority key identifier of `certificate` names one
/// certificate of its issuer, beside or instead of the key's identifier (RFC 5280 4.2.1.1);
/// nothing where it does not.
std::optional<std::string> issuer_serial_in(const Certificate& certificate);

/// Whether OpenSSL and BoringSSL pass over `issuer` although its key signed `certificate`: the
/// authority key identifier names another certificate of the same CA by its serial, as after a
/// renewal with the same key.
bool names_another_serial(const Certificate& certificate, const Certificate& issuer);

/// Of `certificate` and what is above it the one that ends first; where several do, the lowest.
const Certificate& first_to_end(const Certificate& certificate, std::span<const Certificate> above);

/// Whether `certificate` is for the key that `key` signs with.
bool is_for_key(const Certificate& certificate, const Signer& key);
/// The same of the clear-text key that a PEM text begins with; an error as from `public_key_of`
/// where there is none.
base::Result<bool> is_for_key(const Certificate& certificate, const base::Secret& pem);
/// Whether that key is one that we mint with and really signs for `certificate`: its public half
/// is said in the same file and proves nothing. What may be done for this answer's sake cannot be
/// undone, such as forgetting another copy.
bool signs_for(const Certificate& certificate, const base::Secret& pem);

}  // namespace meshtrust::pki
