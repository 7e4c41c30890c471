#include "tests/interop/verifiers/encodings.h"

#include "base/check.h"
#include "pki/der.h"
#include "pki/handle.h"

#include <openssl/x509v3.h>

#include <algorithm>

namespace meshtrust::interop {
namespace {

using base::Bytes;
using base::ByteView;
using pki::testing::Identity;
using pki::testing::Key;

X509* parsed(ByteView der) {
  const unsigned char* next = der.data();
  return d2i_X509(nullptr, &next, static_cast<long>(der.size()));
}

void sign(X509& certificate, const Key& key) {
  const bool hashes_itself = EVP_PKEY_is_a(key.get(), "ED25519") == 1;
  MESHTRUST_CHECK(X509_sign(&certificate, key.get(), hashes_itself ? nullptr : EVP_sha256()) > 0);
}

void set_parameters(const X509_ALGOR* algorithm, const std::string& parameters) {
  auto* const changed = const_cast<X509_ALGOR*>(algorithm);  // NOLINT: OpenSSL has no other way
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, changed);
  ASN1_TYPE* type = nullptr;
  if (!parameters.empty()) {
    const ByteView der = base::as_bytes(parameters);
    const unsigned char* next = der.data();
    type = d2i_ASN1_TYPE(nullptr, &next, static_cast<long>(der.size()));
  }
  ASN1_TYPE_free(changed->parameter);
  changed->parameter = type;
}

/// With an algorithm that says so, in both places.
void sign_with_parameters(X509& certificate, const Key& key, const std::string& parameters) {
  sign(certificate, key);
  const ASN1_BIT_STRING* signature = nullptr;
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(&signature, &outer, &certificate);
  set_parameters(outer, parameters);
  set_parameters(X509_get0_tbs_sigalg(&certificate), parameters);
  unsigned char* text = nullptr;
  const int size = i2d_re_X509_tbs(&certificate, &text);
  const bool hashes_itself = EVP_PKEY_is_a(key.get(), "ED25519") == 1;
  const pki::DigestContext context(EVP_MD_CTX_new());
  EVP_DigestSignInit(context.get(), nullptr, hashes_itself ? nullptr : EVP_sha256(), nullptr,
                     key.get());
  Bytes made(1024);
  std::size_t made_size = made.size();
  MESHTRUST_CHECK(EVP_DigestSign(context.get(), made.data(), &made_size, text,
                                 static_cast<std::size_t>(size)) == 1);
  OPENSSL_free(text);
  auto* const changed = const_cast<ASN1_BIT_STRING*>(signature);  // NOLINT: see above
  ASN1_STRING_set(changed, made.data(), static_cast<int>(made_size));
}

using Signing = std::function<void(X509&, const Key& issuer)>;

void replace(Draft& draft, std::size_t depth, const Signing& signing) {
  draft.afterwards.emplace_back([=](Case& question, const std::vector<Identity>& made) {
    const std::size_t at = std::min(depth, made.size() - 1);
    const Bytes before = made[at].certificate.der();
    const pki::X509Handle certificate(parsed(before));
    signing(*certificate, made[std::min(at + 1, made.size() - 1)].key);
    const Bytes after = pki::to_der(i2d_X509, static_cast<const X509*>(certificate.get()));
    std::ranges::replace(question.chain, before, after);
    std::ranges::replace(question.roots, before, after);
  });
}

}  // namespace

void rework(Draft& draft, std::size_t depth, const std::function<void(X509&)>& change) {
  replace(draft, depth, [change](X509& certificate, const Key& issuer) {
    change(certificate);
    sign(certificate, issuer);
  });
}

void rework_signature(Draft& draft, std::size_t depth, const std::string& parameters) {
  replace(draft, depth, [parameters](X509& certificate, const Key& issuer) {
    sign_with_parameters(certificate, issuer, parameters);
  });
}

void set_extension(X509& certificate, const std::string& object, const Bytes& value) {
  using Object = pki::Handle<ASN1_OBJECT, ASN1_OBJECT_free>;
  const Object id(OBJ_txt2obj(object.c_str(), 1));
  const int at = X509_get_ext_by_OBJ(&certificate, id.get(), -1);
  bool critical = false;
  if (at >= 0) {
    const pki::Extension before(X509_delete_ext(&certificate, at));
    critical = X509_EXTENSION_get_critical(before.get()) == 1;
  }
  const pki::Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> text(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(text.get(), value.data(), static_cast<int>(value.size()));
  const pki::Extension extension(
      X509_EXTENSION_create_by_OBJ(nullptr, id.get(), critical ? 1 : 0, text.get()));
  X509_add_ext(&certificate, extension.get(), at);
}

}  // namespace meshtrust::interop
