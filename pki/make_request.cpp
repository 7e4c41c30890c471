#include "pki/make_request.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/rehearsal.h"

#include <openssl/x509v3.h>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

base::Error cannot_encode() {
  return openssl_error(Code::kInternal, "encoding the certificate request");
}

base::Status ask_for_key_id(X509_REQ* request, const std::string& hex) {
  MESHTRUST_TRY(const base::Bytes digits, base::from_hex(hex));
  const OctetString id(ASN1_OCTET_STRING_new());
  if (!id || ASN1_OCTET_STRING_set(id.get(), digits.data(), static_cast<int>(digits.size())) != 1) {
    return fail(cannot_encode());
  }
  STACK_OF(X509_EXTENSION)* list = nullptr;
  const int added =
      X509V3_add1_i2d(&list, NID_subject_key_identifier, id.get(), 0, X509V3_ADD_DEFAULT);
  const Extensions owner(list);
  if (added != 1 || X509_REQ_add_extensions(request, list) != 1) return fail(cannot_encode());
  return {};
}

}  // namespace

base::Result<CertificateRequest> make_request(const DistinguishedName& subject,
                                              const Signer& key,
                                              const std::optional<std::string>& subject_key_id) {
  MESHTRUST_TRY(const X509Name name, encode(subject));
  const base::Bytes info = key.public_key();
  const unsigned char* next = info.data();
  const Pkey open(d2i_PUBKEY(nullptr, &next, static_cast<long>(info.size())));
  const RequestHandle request(X509_REQ_new());
  if (!open || !request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(request.get(), name.get()) != 1 ||
      X509_REQ_set_pubkey(request.get(), open.get()) != 1) {
    return fail(cannot_encode());
  }
  if (subject_key_id) MESHTRUST_TRY_DO(ask_for_key_id(request.get(), *subject_key_id));
  MESHTRUST_TRY(const Pkey worthless, worthless_key(key.algorithm()));
  if (X509_REQ_sign(request.get(), worthless.get(), digest_for(key.algorithm())) <= 0) {
    return fail(cannot_encode());
  }
  const base::Bytes rehearsal = to_der(i2d_X509_REQ, static_cast<const X509_REQ*>(request.get()));
  MESHTRUST_TRY(const base::Bytes signature, key.sign(signed_part(rehearsal)));
  MESHTRUST_TRY(CertificateRequest made,
                CertificateRequest::from_der(with_signature(rehearsal, signature)));
  if (!made.facts().signature_valid) {
    return fail(Code::kRefused, "the signature of the new request does not verify");
  }
  return made;
}

}  // namespace meshtrust::pki
