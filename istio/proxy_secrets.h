#pragma once

#include "base/json.h"
#include "base/result.h"
#include "pki/certificate.h"

#include <string_view>
#include <vector>

namespace meshtrust::istio {

/// What one workload shows to others, and whom it believes.
struct Credential {
  std::vector<pki::Certificate> chain;  ///< its own certificate first
  std::vector<pki::Certificate> roots;  ///< the trust anchors by which it judges others
};

/// Where the admin interface of a proxy listens, on the loopback of its pod, unless
/// `proxyAdminPort` of its configuration says otherwise.
inline constexpr int kProxyAdminPort = 15000;

/// What a proxy is asked for there. Envoy then leaves out all but certificates; the private key,
/// which it redacts in any case, does not even cross the wire as that word. ztunnel looks at
/// nothing behind the "?" and answers with its whole configuration, which holds no key either.
inline constexpr std::string_view kProxySecretsPath =
    "/config_dump?resource=dynamic_active_secrets&mask=name,"
    "secret.tls_certificate.certificate_chain,secret.validation_context.trusted_ca";

/// The credentials in the answer to `kProxySecretsPath`: of Envoy exactly one, that of its secrets
/// `default` and `ROOTCA`; of ztunnel one for each identity that it has a certificate of, perhaps
/// none. Certificates alone are read. kUnavailable when Envoy has not got its own yet, or when
/// something is no certificate.
base::Result<std::vector<Credential>> credentials_in(const base::Json& answer);

}  // namespace meshtrust::istio
