#pragma once

#include "base/error.h"
#include "base/json.h"
#include "k8s/http.h"
#include "k8s/object_ref.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// A `Status` of the API server, as far as it was understood.
struct ServerStatus {
  struct Cause {
    std::string reason = {};
    std::string field = {};
    std::string message = {};
  };

  bool understood = false;  ///< the body was a Status of API machinery
  int code = 0;             ///< the HTTP status, which decides
  int stated_code = 0;      ///< what the body says it was; 0 when it says nothing
  std::string reason = {};
  std::string message = {};
  std::string detail_kind = {};  ///< resource, for NotFound: "secrets", "namespaces"
  std::string detail_name = {};
  std::string detail_uid = {};  ///< of what was deleted
  std::optional<base::Seconds> retry_after = {};
  std::string next = {};  ///< metadata.continue, with 410: the rest of a list, inconsistent
  std::vector<Cause> causes = {};

  bool has_cause(std::string_view wanted) const;
};

/// Never fails: what is no Status gives `understood = false`.
ServerStatus read_status(const Reply& reply);

/// What a 404 means.
enum class Missing { kObject, kNamespace, kResource, kOther };
Missing what_is_missing(const ServerStatus& status, const Reply& reply, const ObjectRef& ref);

/// The answer `reply` to `action` ("reading secret 'istio-system/cacerts'") as an error:
/// kPermission for 401 and for what RBAC forbids; kRefused for what an admission webhook, policy or
/// plugin denies (403 and others) and for what is too large (413); kNotFound for 404; kConflict for
/// 409 and for a namespace that is being deleted; kUnavailable for throttling, 410, 5xx, a proxy's
/// page and a resource that the server does not have; kInternal for what a correct client would not
/// have sent.
base::Error error_from_reply(const Reply& reply, std::string_view action);

/// The same for an answer that is no API server's: status, content type, and how it begins.
base::Error not_kubernetes(const Reply& reply);

}  // namespace meshtrust::k8s
