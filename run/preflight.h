#pragma once

#include "base/result.h"
#include "k8s/api_client.h"
#include "mesh/plan.h"
#include "run/world.h"

#include <vector>

namespace meshtrust::run {

/// Asks every cluster whether we may do what `plan` is going to do (self-subject access reviews,
/// which change nothing). All refusals and failures together; empty means go.
base::Errors check_rights(const mesh::Plan& plan, const World& world);

/// Which of `rights` the server of `client` would not grant: "not permitted to patch secret
/// istio-system/cacerts" (kPermission), one error a right. An error instead when a question gets
/// no answer.
base::Result<base::Errors> missing_rights(const std::vector<mesh::Right>& rights,
                                          k8s::ApiClient& client);

}  // namespace meshtrust::run
