#pragma once

#include "base/clock.h"
#include "base/json.h"
#include "base/process_table.h"
#include "base/result.h"
#include "k8s/api_client.h"
#include "mesh/observed.h"

#include <string>

namespace meshtrust::run {

/// Who holds a Lease and since when, as it says itself: printable, one line each.
struct LeaseHolder {
  std::string who;    ///< empty where nobody does
  std::string since;  ///< RFC 3339, or "?"
};

/// The Lease called `name` in kube-system.
k8s::ObjectRef lease_ref(const std::string& name);
LeaseHolder holder_of(const base::Json& lease);
/// The process that holds it, where it says so.
base::ProcessId process_of(const base::Json& lease);
/// From when on it counts no more, by the clock of its server.
base::Instant end_of(const base::Json& lease);
/// Whether nobody holds it any more: it names nobody, its holder was a process of this machine that
/// has ended, or it has not been renewed for its duration. `now` is by the clock of its server.
bool is_over(const base::Json& lease, base::Instant now, const base::ProcessTable& processes);

/// What time it is by the clock of the server.
base::Result<base::Instant> time_at(k8s::ApiClient& client, const base::Clock& clock);

/// The run that is at work in a cluster: it holds the Lease called `name`, of whatever mesh it is.
/// Found, absent, or unknown, such as where Leases may not be read.
mesh::Observed<LeaseHolder> look_for_run(k8s::ApiClient& client,
                                         const std::string& name,
                                         const base::Clock& clock,
                                         const base::ProcessTable& processes);

}  // namespace meshtrust::run
