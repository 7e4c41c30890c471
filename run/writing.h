#pragma once

#include "base/json.h"
#include "k8s/api_client.h"
#include "run/execute.h"

#include <string_view>

namespace meshtrust::run {

/// A live object is not what was written a moment ago.
base::Error differs_from_what_was_written(const k8s::ObjectRef& ref);

/// Whether others than meshtrust set a label of the object with that metadata, alone or as well,
/// going by the owners of its fields.
bool is_label_of_others(const base::Json& metadata, std::string_view label);
/// The same for an annotation.
bool is_annotation_of_others(const base::Json& metadata, std::string_view annotation);

/// Creates a Secret that was missing when the plan was made. What came meanwhile is left as it is:
/// kConflict.
base::Result<k8s::Applied> create_planned(k8s::ApiClient& client,
                                          const k8s::ObjectRef& ref,
                                          const k8s::SecretContent& content);

/// Applies an object that holds nothing secret and reads it back. A webhook that could not be
/// called is tried again: it may not have heard of itself yet.
Outcome apply_and_verify(k8s::ApiClient& client,
                         const k8s::ObjectRef& ref,
                         const base::Json& object);

/// What a failure of a request to a server that was reached before means for a step: worth
/// repeating when it may pass by itself.
Outcome failure_of(base::Error why);

}  // namespace meshtrust::run
