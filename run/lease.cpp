#include "run/lease.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/objects.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace meshtrust::run {
namespace {

using base::Instant;
using base::Json;
using base::Result;
using base::Seconds;
using mesh::Observed;

/// When the holder was last seen alive. What the server itself noted of its writes comes before
/// what the holder says, whose clock may be wrong.
Instant last_sign_of(const Json& lease) {
  std::optional<Instant> latest;
  const auto note = [&latest](const std::string& text) {
    const auto time = base::parse_rfc3339(text);
    if (time && (!latest || *time > *latest)) latest = *time;
  };
  for (const Json& entry : mesh::list_at(lease, {"metadata", "managedFields"})) {
    note(base::string_at(entry, "time"));
  }
  if (!latest) note(base::string_at(base::at_path(lease, {"spec"}), "renewTime"));
  if (!latest) note(base::string_at(base::at_path(lease, {"metadata"}), "creationTimestamp"));
  return latest.value_or(Instant{});
}

Seconds duration_of(const Json& lease) {
  const Json& seconds = base::at_path(lease, {"spec", "leaseDurationSeconds"});
  constexpr int kLongest = 3'600;  // of whoever may write Leases: nobody waits longer for them
  return Seconds(seconds.is_number_integer() ? std::clamp(seconds.get<int>(), 1, kLongest) : 1);
}

}  // namespace

k8s::ObjectRef lease_ref(const std::string& name) {
  return {.api_version = "coordination.k8s.io/v1",
          .kind = "Lease",
          .resource = "leases",
          .namespace_name = "kube-system",
          .name = name};
}

LeaseHolder holder_of(const Json& lease) {
  const Json& spec = base::at_path(lease, {"spec"});
  return {.who = base::printable(base::string_at(spec, "holderIdentity"), 256),
          .since = base::printable(base::string_at(spec, "acquireTime", "?"), 64)};
}

base::ProcessId process_of(const Json& lease) {
  return base::ProcessId::from_text(base::string_at(
      base::at_path(lease, {"metadata", "annotations"}), istio::kProcessAnnotation));
}

Instant end_of(const Json& lease) {
  return last_sign_of(lease) + duration_of(lease);
}

bool is_over(const Json& lease, Instant now, const base::ProcessTable& processes) {
  return holder_of(lease).who.empty() || processes.is_gone(process_of(lease)) ||
         now >= end_of(lease);
}

Result<Instant> time_at(k8s::ApiClient& client, const base::Clock& clock) {
  MESHTRUST_TRY(const k8s::ServerGreeting greeting, client.greet());
  return clock.now() + greeting.clock_ahead.value_or(Seconds(0));
}

Observed<LeaseHolder> look_for_run(k8s::ApiClient& client,
                                   const std::string& name,
                                   const base::Clock& clock,
                                   const base::ProcessTable& processes) {
  using Holder = Observed<LeaseHolder>;
  const auto lease = client.get(lease_ref(name));
  if (!lease) return Holder::unknown(lease.error());
  if (!*lease) return mesh::Absent{};
  const auto now = time_at(client, clock);
  if (!now) return Holder::unknown(now.error());
  if (is_over(**lease, *now, processes)) return mesh::Absent{};
  return holder_of(**lease);
}

}  // namespace meshtrust::run
