#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/verify.h"

#include <openssl/x509_vfy.h>

namespace meshtrust::pki {
namespace {

/// 112 bits of security: RSA from 2048 bits, no SHA-1 below the root. Pinned, because the level of
/// a system comes from its openssl.cnf, and a verdict on a mesh must not depend on whose laptop
/// asks. It is what Debian's TLS peers demand and what Botan is asked for.
constexpr int kSecurityLevel = 2;

void set_question(X509_VERIFY_PARAM* parameters, const TrustQuestion& question) {
  X509_VERIFY_PARAM_set_time(parameters, question.at.time_since_epoch().count());
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  // Every certificate of `roots` is an anchor, self-signed or not, as for Go, Envoy and Botan. Not
  // X509_V_FLAG_X509_STRICT: it refuses a foreign root without SKI that no peer in a mesh refuses;
  // what we mint ourselves is held to those rules by `lint`.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  // No purpose: the question is asked of CA chains as well as of leaves, and an extended key usage
  // says something about one use of a certificate, not about trust. CA-ness, path lengths and
  // keyCertSign of the issuers are checked without one.
}

Verdict refused(std::string reason) {
  return {.judge = "openssl", .accepted = false, .reason = std::move(reason)};
}

/// What is asked beyond trust: nothing of a CA, what it is for and what may be taken for granted of
/// a workload.
using Refine = void (*)(X509_STORE_CTX* context, X509* signer);

Verdict verify(const TrustQuestion& question, Refine refine, const Certificate* signer = nullptr) {
  if (question.chain.empty()) return refused("there is no certificate to judge");
  const Store store(X509_STORE_new());
  for (const Certificate& root : question.roots) {
    X509_STORE_add_cert(store.get(), x509_of(root));
  }

  const CertificateStack helpers(sk_X509_new_null());
  for (std::size_t i = 1; i < question.chain.size(); ++i) {
    sk_X509_push(helpers.get(), x509_of(question.chain[i]));
  }
  const StoreContext context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), x509_of(question.chain.front()),
                          helpers.get()) != 1) {
    return refused(take_openssl_reasons());
  }
  set_question(X509_STORE_CTX_get0_param(context.get()), question);
  if (refine != nullptr) refine(context.get(), x509_of(*signer));
  const bool accepted = X509_verify_cert(context.get()) == 1;
  forget_openssl_errors();
  if (accepted) return {.judge = "openssl", .accepted = true, .reason = {}};
  return refused(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

/// Forgives the signature of the certificate in question where its issuer on this path has the key
/// that would have signed it, and nothing else. A namesake with another key is none.
int take_leaf_for_granted(int ok, X509_STORE_CTX* context) {
  const bool is_leaf_signature =
      X509_STORE_CTX_get_error(context) == X509_V_ERR_CERT_SIGNATURE_FAILURE &&
      X509_STORE_CTX_get_error_depth(context) == 0;
  if (ok == 1 || !is_leaf_signature) return ok;
  const auto* signer = static_cast<X509*>(X509_STORE_CTX_get_app_data(context));
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context);
  if (sk_X509_num(chain) < 2) return ok;
  const EVP_PKEY* const found = X509_get0_pubkey(sk_X509_value(chain, 1));
  if (found == nullptr || EVP_PKEY_eq(found, X509_get0_pubkey(signer)) != 1) return ok;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

template <int kPurpose>
void as_workload(X509_STORE_CTX* context, X509* signer) {
  X509_STORE_CTX_set_app_data(context, signer);
  X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(context), kPurpose);
  X509_STORE_CTX_set_verify_cb(context, take_leaf_for_granted);
}

}  // namespace

Verdict judge_with_openssl(const TrustQuestion& question) {
  return verify(question, nullptr);
}

Verdict judge_imagined_with_openssl(const TrustQuestion& question, const Certificate& signer) {
  for (const Refine role :
       {&as_workload<X509_PURPOSE_SSL_SERVER>, &as_workload<X509_PURPOSE_SSL_CLIENT>}) {
    if (Verdict said = verify(question, role, &signer); !said.accepted) return said;
  }
  return {.judge = "openssl", .accepted = true, .reason = {}};
}

}  // namespace meshtrust::pki
