#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/path/judge_chain.h"

#include <openssl/x509_vfy.h>

namespace meshtrust::pki {

X509* x509_of(const PathCertificate& certificate);
X509_CRL* x509_crl_of(const PathCrl& crl);

namespace {

/// 112 bits of security, whatever openssl.cnf says: what Debian's TLS peers demand.
constexpr int kSecurityLevel = 2;

ChainVerdict refused(std::string reason) {
  return {.judge = "openssl",
          .accepted = false,
          .path = {},
          .failures = {},
          .reason = std::move(reason)};
}

inline void free_crls_alone(STACK_OF(X509_CRL) * stack) {
  sk_X509_CRL_free(stack);
}
using CrlStack = Handle<STACK_OF(X509_CRL), free_crls_alone>;

void set_name(X509_VERIFY_PARAM* parameters, const ReferenceName& name) {
  if (name.form == NameForm::kDns) {
    // No part of a label, and no CN where there are alternative names (which is its default).
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_VERIFY_PARAM_set1_host(parameters, name.value.data(), name.value.size());
  } else if (name.form == NameForm::kEmail) {
    X509_VERIFY_PARAM_set1_email(parameters, name.value.data(), name.value.size());
  } else if (name.form == NameForm::kIp) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): octets are octets
    const auto* octets = reinterpret_cast<const unsigned char*>(name.value.data());
    X509_VERIFY_PARAM_set1_ip(parameters, octets, name.value.size());
  }
}

void set_question(X509_VERIFY_PARAM* parameters, const ChainQuestion& question) {
  X509_VERIFY_PARAM_set_time(parameters, question.at.time_since_epoch().count());
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_POLICY_CHECK;
  if (question.asks_revocation) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  if (question.purpose == Purpose::kServer) {
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
  } else if (question.purpose == Purpose::kClient) {
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  }
  if (question.most_intermediates) {
    X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(*question.most_intermediates));
  }
  if (question.name) set_name(parameters, *question.name);
}

}  // namespace

ChainVerdict ask_openssl(const ChainQuestion& question) {
  if (question.chain.empty()) return refused("there is no certificate to judge");
  const Store store(X509_STORE_new());
  for (const PathCertificate& anchor : question.anchors) {
    X509_STORE_add_cert(store.get(), x509_of(anchor));
  }
  const CertificateStack helpers(sk_X509_new_null());
  for (std::size_t i = 1; i < question.chain.size(); ++i) {
    sk_X509_push(helpers.get(), x509_of(question.chain[i]));
  }
  const CrlStack crls(sk_X509_CRL_new_null());
  for (const PathCrl& crl : question.crls) {
    sk_X509_CRL_push(crls.get(), x509_crl_of(crl));
  }
  const StoreContext context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), x509_of(question.chain.front()),
                          helpers.get()) != 1) {
    return refused(take_openssl_reasons());
  }
  if (question.asks_revocation) X509_STORE_CTX_set0_crls(context.get(), crls.get());
  set_question(X509_STORE_CTX_get0_param(context.get()), question);
  const bool accepted = X509_verify_cert(context.get()) == 1;
  forget_openssl_errors();
  if (!accepted) {
    return refused(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  return {.judge = "openssl", .accepted = true, .path = {}, .failures = {}, .reason = {}};
}

}  // namespace meshtrust::pki
