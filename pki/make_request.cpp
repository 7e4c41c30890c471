#include "pki/make_request.h"

#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/rehearsal.h"

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

base::Error cannot_encode() {
  return openssl_error(Code::kInternal, "encoding the certificate request");
}

}  // namespace

base::Result<CertificateRequest> make_request(const DistinguishedName& subject, const Signer& key) {
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
