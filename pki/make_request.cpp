#include "pki/make_request.h"

#include "base/encoding.h"
#include "pki/certificate_builder.h"
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

/// The identifier that a certificate of ours would give the key.
base::Bytes own_identifier(X509_REQ* request) {
  const unsigned char* bits = nullptr;
  int size = 0;
  X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, X509_REQ_get_X509_PUBKEY(request));
  return key_identifier_of({bits, static_cast<std::size_t>(size)});
}

/// Adds one extension to `list`, which the caller owns.
bool add(STACK_OF(X509_EXTENSION) * *list, int type, bool critical, void* value) {
  return value != nullptr &&
         X509V3_add1_i2d(list, type, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

base::Status ask_for_authority(X509_REQ* request, const std::optional<std::string>& hex) {
  base::Bytes identifier = own_identifier(request);
  if (hex) {
    MESHTRUST_TRY(identifier, base::from_hex(*hex));
  }
  const ConstraintsExtension constraints(BASIC_CONSTRAINTS_new());
  if (!constraints) return fail(cannot_encode());
  constraints->ca = 1;
  STACK_OF(X509_EXTENSION)* list = nullptr;
  const bool added = add(&list, NID_basic_constraints, true, constraints.get()) &&
                     add(&list, NID_key_usage, true, usage_of_authority().get()) &&
                     add(&list, NID_subject_key_identifier, false, octets(identifier).get());
  const Extensions owner(list);
  if (!added || X509_REQ_add_extensions(request, list) != 1) return fail(cannot_encode());
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
  MESHTRUST_TRY_DO(ask_for_authority(request.get(), subject_key_id));
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
