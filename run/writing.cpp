#include "run/writing.h"

#include "profiles/object.h"

namespace meshtrust::run {

using base::Code;
using base::Error;

Error differs_from_what_was_written(const k8s::ObjectRef& ref) {
  return {.code = Code::kConflict,
          .message = ref.describe() + " differs from what was written a moment ago",
          .hints = {"find out who else writes it, then run the same command again"}};
}

Outcome apply_and_verify(k8s::ApiClient& client,
                         const k8s::ObjectRef& ref,
                         const base::Json& object) {
  auto applied = client.apply(ref, object);
  if (!applied) return failure_of(std::move(applied).error());
  const auto live = client.get(ref);
  if (!live) return Failed{.why = live.error(), .changed = true};
  if (!*live || !profiles::is_contained(object, **live)) {
    return Failed{.why = differs_from_what_was_written(ref), .changed = true};
  }
  return Done{.changed = true, .detail = applied->created ? "created" : "changed"};
}

Outcome failure_of(Error why) {
  const bool webhook = why.message.find("failed calling webhook") != std::string::npos;
  if (webhook) return Retry{.why = std::move(why)};
  return Failed{std::move(why)};
}

}  // namespace meshtrust::run
