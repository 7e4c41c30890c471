#include "pki/chain.h"

#include "pki/handle.h"
#include "pki/key_text.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"

#include <algorithm>
#include <string_view>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

bool names_as_issuer(const Certificate& child, const Certificate& parent) {
  return child.facts().issuer_der == parent.facts().subject_der;
}

std::string place(std::size_t index, const Certificate& certificate) {
  return "certificate " + std::to_string(index + 1) + " '" + certificate.facts().subject + "'";
}

/// Whether the public half that stands in the file of a private key belongs to it. Go makes it
/// anew, and knows no curve but by its name.
bool is_own_public_key(EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "EC") != 1) return true;
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, &key, nullptr));
  const bool is_own = context && EVP_PKEY_pairwise_check(context.get()) == 1;
  forget_openssl_errors();
  return is_own && has_named_curve(key);
}

}  // namespace

base::Status check_order(std::span<const Certificate> chain) {
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    const Certificate& child = chain[i];
    const Certificate& parent = chain[i + 1];
    if (!names_as_issuer(child, parent)) {
      return fail(Code::kInvalidInput, place(i, child) + " is followed by '" +
                                           parent.facts().subject + "', wanted its issuer '" +
                                           child.facts().issuer + "'");
    }
    if (!child.is_signed_by(parent)) {
      return fail(Code::kInvalidInput,
                  place(i, child) +
                      " is followed by a certificate of its issuer's name, whose key "
                      "did not sign it");
    }
  }
  return {};
}

const Certificate* find_issuer(const Certificate& certificate,
                               std::span<const Certificate> candidates) {
  constexpr int kMostSignatures = 16;  // of namesakes: more are nobody's by accident
  int tried = 0;
  const Certificate* found = nullptr;
  for (const Certificate& candidate : candidates) {
    if (!names_as_issuer(certificate, candidate)) continue;
    if (++tried > kMostSignatures) break;
    if (!certificate.is_signed_by(candidate)) continue;
    if (!names_another_serial(certificate, candidate)) return &candidate;
    if (found == nullptr) found = &candidate;
  }
  return found;
}

std::optional<std::string> issuer_serial_in(const Certificate& certificate) {
  const AuthorityKeyId found(static_cast<AUTHORITY_KEYID*>(
      X509_get_ext_d2i(bare_x509_of(certificate), NID_authority_key_identifier, nullptr, nullptr)));
  forget_openssl_errors();
  if (!found || found->serial == nullptr) return std::nullopt;
  return serial_text(found->serial);
}

bool names_another_serial(const Certificate& certificate, const Certificate& issuer) {
  const auto named = issuer_serial_in(certificate);
  return named && *named != issuer.facts().serial;
}

const Certificate& first_to_end(const Certificate& certificate,
                                std::span<const Certificate> above) {
  const Certificate* first = &certificate;
  for (const Certificate& one : above) {
    if (one.facts().not_after < first->facts().not_after) first = &one;
  }
  return *first;
}

bool is_for_key(const Certificate& certificate, const Signer& key) {
  return certificate.facts().key_id == key_id(key.public_key());
}

base::Result<bool> is_for_key(const Certificate& certificate, const base::Secret& pem) {
  MESHTRUST_TRY(const Pkey key, read_clear_key(pem));
  EVP_PKEY* const public_key = X509_get0_pubkey(x509_of(certificate));
  const bool equal = public_key != nullptr && EVP_PKEY_eq(public_key, key.get()) == 1;
  forget_openssl_errors();
  return equal && is_own_public_key(*key);
}

bool signs_for(const Certificate& certificate, const base::Secret& pem) {
  constexpr std::string_view kMessage =
      "meshtrust tries a key v1\n";  // no DER: see ledger/signed_head
  const auto fits = is_for_key(certificate, pem);
  if (!fits || !*fits) return false;
  const auto key = PrivateKey::from_pem(pem);
  if (!key) return false;
  const auto signature = key->sign(base::as_bytes(kMessage));
  return signature && certificate.has_signed(base::as_bytes(kMessage), *signature);
}

}  // namespace meshtrust::pki
