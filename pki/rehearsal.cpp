#include "pki/rehearsal.h"

#include "pki/der.h"
#include "pki/openssl_error.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

base::Result<Pkey> generate(KeyAlgorithm algorithm) {
  const bool is_p256 = algorithm == KeyAlgorithm::kEcdsaP256;
  const bool is_p384 = algorithm == KeyAlgorithm::kEcdsaP384;
  Pkey key(is_p256 || is_p384 ? EVP_EC_gen(is_p256 ? "P-256" : "P-384") : EVP_RSA_gen(2048));
  if (!key) return fail(openssl_error(Code::kInternal, "generating a throw-away key"));
  return key;
}

/// As making an RSA key can take half a second, it is made once. The language makes the first call
/// do that under a lock, and signing leaves the key as it is, so threads may share it.
base::Result<Pkey> shared_rsa_key() {
  static const auto key = generate(KeyAlgorithm::kRsa2048);
  if (!key) return fail(key.error());
  EVP_PKEY_up_ref(key->get());
  return Pkey(key->get());
}

}  // namespace

base::Result<Pkey> worthless_key(KeyAlgorithm algorithm) {
  const bool is_curve =
      algorithm == KeyAlgorithm::kEcdsaP256 || algorithm == KeyAlgorithm::kEcdsaP384;
  return is_curve ? generate(algorithm) : shared_rsa_key();
}

const EVP_MD* digest_for(KeyAlgorithm algorithm) {
  return algorithm == KeyAlgorithm::kEcdsaP384 ? EVP_sha384() : EVP_sha256();
}

base::ByteView signed_part(base::ByteView der) {
  const auto outer = first_element(der);
  MESHTRUST_CHECK(outer.has_value());  // OpenSSL has parsed it
  const auto inner = first_element(outer->content);
  MESHTRUST_CHECK(inner.has_value());
  return inner->whole;
}

base::Bytes with_signature(base::ByteView der, base::ByteView signature) {
  const base::ByteView inner = signed_part(der);
  const auto content = first_element(der)->content;
  const auto algorithm = first_element(content.subspan(inner.size()));
  MESHTRUST_CHECK(algorithm.has_value());

  base::Bytes bits;
  append_header(bits, V_ASN1_BIT_STRING, signature.size() + 1);
  bits.push_back(0);  // no unused bits
  bits.insert(bits.end(), signature.begin(), signature.end());

  base::Bytes out;
  append_header(out, V_ASN1_SEQUENCE, inner.size() + algorithm->whole.size() + bits.size());
  for (const base::ByteView part : {inner, algorithm->whole, base::ByteView(bits)}) {
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

}  // namespace meshtrust::pki
