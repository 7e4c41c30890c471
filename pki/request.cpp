#include "pki/request.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/key.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/openssl_values.h"
#include "pki/pem.h"

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

constexpr std::string_view kLabel = "CERTIFICATE REQUEST";
constexpr std::string_view kOldLabel = "NEW CERTIFICATE REQUEST";

void read_extensions(X509_REQ* request, CertificateRequestFacts& facts) {
  const Extensions extensions(X509_REQ_get_extensions(request));
  if (!extensions) return;
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions.get()); ++i) {
    facts.extensions.push_back(
        object_text(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions.get(), i))));
  }
  const AlternativeNames names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  AlternativeNameTexts texts = texts_of(names.get());
  facts.dns_names = std::move(texts.dns_names);
  facts.uris = std::move(texts.uris);
  facts.ip_addresses = std::move(texts.ip_addresses);
  facts.emails = std::move(texts.emails);
}

}  // namespace

base::Result<CertificateRequest> CertificateRequest::from_der(base::ByteView der) {
  const unsigned char* next = der.data();
  const RequestHandle request(d2i_X509_REQ(nullptr, &next, static_cast<long>(der.size())));
  if (!request || next != der.data() + der.size()) {
    return fail(openssl_error(Code::kInvalidInput, "certificate request does not parse"));
  }
  CertificateRequest made;
  made.der_.assign(der.begin(), der.end());
  made.public_key_ = public_key_info(X509_REQ_get_X509_PUBKEY(request.get()));
  CertificateRequestFacts& facts = made.facts_;
  facts.subject = text_of(X509_REQ_get_subject_name(request.get()));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  facts.key_type = key_type_of(key);
  facts.key_id = key_id(made.public_key_);
  const X509_ALGOR* algorithm = nullptr;
  X509_REQ_get0_signature(request.get(), nullptr, &algorithm);
  facts.signature_algorithm = signature_algorithm_text(algorithm);
  facts.signature_valid = key != nullptr && X509_REQ_verify(request.get(), key) == 1;
  read_extensions(request.get(), facts);
  facts.fingerprint = base::to_hex(base::sha256(der));
  forget_openssl_errors();
  return made;
}

base::Result<CertificateRequest> CertificateRequest::from_pem(std::string_view pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks, pem_blocks(pem));
  const PemBlock* only = nullptr;
  for (const PemBlock& block : blocks) {
    if (block.label != kLabel && block.label != kOldLabel) continue;
    if (only != nullptr) {
      return fail(Code::kInvalidInput, "found several certificate requests, wanted one");
    }
    only = &block;
  }
  if (only == nullptr) return fail(Code::kInvalidInput, "found no certificate request");
  MESHTRUST_TRY(const base::Bytes der, decode(*only));
  return from_der(der);
}

std::string CertificateRequest::pem() const {
  return to_pem(kLabel, der_);
}

}  // namespace meshtrust::pki
