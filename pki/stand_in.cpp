#include "pki/stand_in.h"

#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/rehearsal.h"

#include <utility>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

/// The DER of `original` with another key in it, signed by a worthless one: so OpenSSL writes the
/// algorithm that the real signature will have.
base::Result<base::Bytes> with_key(const Certificate& original,
                                   const base::Bytes& public_key,
                                   KeyAlgorithm signer) {
  const X509Handle copy(X509_dup(x509_of(original)));
  const unsigned char* next = public_key.data();
  const Pkey key(d2i_PUBKEY(nullptr, &next, static_cast<long>(public_key.size())));
  MESHTRUST_TRY(const Pkey worthless, worthless_key(signer));
  const bool is_made = copy && key && X509_set_pubkey(copy.get(), key.get()) == 1 &&
                       X509_sign(copy.get(), worthless.get(), digest_for(signer)) > 0;
  unsigned char* der = nullptr;
  const int size = is_made ? i2d_X509(copy.get(), &der) : -1;
  if (size < 0) return fail(openssl_error(Code::kInternal, "copying a certificate"));
  base::Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace

base::Result<StandIn> stand_in_for(const Certificate& original, const StandIn* issuer) {
  const auto algorithm = key_algorithm_from_name(original.facts().key_type);
  if (!algorithm) {
    return fail(Code::kInvalidInput, "the key of '" + original.facts().subject + "' is " +
                                         original.facts().key_type +
                                         ", and only RSA of 2048, 3072 or 4096 bits, P-256 and "
                                         "P-384 can be stood in for");
  }
  MESHTRUST_TRY(PrivateKey key, PrivateKey::generate(*algorithm));
  const PrivateKey& signer = issuer == nullptr ? key : issuer->key;
  MESHTRUST_TRY(const base::Bytes rehearsed,
                with_key(original, key.public_key(), signer.algorithm()));
  MESHTRUST_TRY(const base::Bytes signature, signer.sign(signed_part(rehearsed)));
  MESHTRUST_TRY(Certificate certificate,
                Certificate::from_der(with_signature(rehearsed, signature)));
  return StandIn{.certificate = std::move(certificate), .key = std::move(key)};
}

}  // namespace meshtrust::pki
