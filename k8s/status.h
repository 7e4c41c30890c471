#pragma once

#include "base/error.h"
#include "base/json.h"
#include "k8s/http.h"
#include "k8s/object_ref.h"

#include <string>
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
  int code = 0;             ///< the HTTP status; what the body says about it does not count
  std::string reason = {};
  std::string message = {};
  std::string detail_kind = {};  ///< resource, for NotFound: "secrets", "namespaces"
  std::string detail_name = {};
  std::vector<Cause> causes = {};
};

/// Never fails: what is no Status gives `understood = false`.
ServerStatus read_status(const Reply& reply);

/// What a 404 means.
enum class Missing { kObject, kNamespace, kResource, kOther };
Missing what_is_missing(const ServerStatus& status, const Reply& reply, const ObjectRef& ref);

/// The answer `reply` to `action` ("reading secret 'istio-system/cacerts'") as an error:
/// kPermission for 401 and 403, kConflict for 409, kUnavailable for throttling, for 5xx, for a
/// proxy's page and for a resource that the server does not have, kRefused when an admission
/// webhook denied it, kInternal for what a correct client would not have sent.
base::Error error_from_reply(const Reply& reply, std::string_view action);

}  // namespace meshtrust::k8s
