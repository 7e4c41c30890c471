#pragma once

#include "base/time.h"
#include "k8s/http.h"

#include <chrono>
#include <string_view>

namespace meshtrust::k8s {

/// What is known when libcurl gave up.
struct FailureFacts {
  int curl_code = 0;
  bool cancelled = false;
  std::chrono::milliseconds silent_for{0};  ///< when the connection was given up for its silence
  bool too_large = false;
  bool was_connected = false;   ///< TCP and TLS stood, so the request may have arrived
  bool lost_the_look = false;   ///< a connection was needed anew after the look over the first
  int connect_code = 0;         ///< how an HTTP proxy answered to CONNECT; 0 before it did
  int os_error = 0;             ///< errno of connect, or 0
  long verify_result = 0;       ///< OpenSSL's word on the other end's certificate (X509_V_...)
  std::string_view words = {};  ///< libcurl's own
  std::size_t limit_bytes = 0;
  const ClientIdentity* identity = nullptr;
  base::Instant now = {};
};

/// The failure in words that say which server, through which proxy, why, and what to look at.
SendFailure explain_failure(const FailureFacts& facts,
                            const ClientSettings& settings,
                            const ProxyEnvironment& environment);

/// "the client certificate of user 'admin' in FILE expired on 2026-01-02" (kInvalidInput), or
/// nothing while it is in force at `now`.
std::optional<base::Error> expired_identity(const ClientSettings& settings,
                                            const ClientIdentity* identity,
                                            base::Instant now);

/// The same of the token that stands in the kubeconfig.
std::optional<base::Error> expired_token(const ClientSettings& settings, base::Instant now);

}  // namespace meshtrust::k8s
