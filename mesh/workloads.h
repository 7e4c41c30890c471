#pragma once

#include "base/json.h"
#include "base/time.h"
#include "istio/proxy_secrets.h"
#include "mesh/observed.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// A pod with a proxy of Istio's: a sidecar, a gateway, a ztunnel.
struct WorkloadPod {
  std::string namespace_name;
  std::string name;
  std::string workload;  ///< what made it: "Deployment/web", "DaemonSet/ztunnel", "Pod/web-1"
  std::string service_account;
  base::Instant created;
  std::uint16_t admin_port = istio::kProxyAdminPort;
  /// What its proxy presents and trusts. Absent where the pod went away before it was asked.
  Observed<std::vector<istio::Credential>> credentials = {};
  base::Instant read_at = {};  ///< when it was asked, by our clock
};

/// The workloads of a cluster, as far as somebody looked.
struct WorkloadFacts {
  std::size_t pods = 0;             ///< that run, have such a proxy and belong to the mesh
  std::vector<WorkloadPod> chosen;  ///< those of them that were asked
};

/// How many pods of a cluster are asked unless somebody says otherwise.
inline constexpr std::size_t kUsualPods = 50;

/// Reads a pod. Nothing of one without a proxy, of another revision than `revision` ("" is the
/// default one), or that is being deleted.
std::optional<WorkloadPod> workload_pod(const base::Json& pod, std::string_view revision);

/// At most `most` of the pods of a cluster: of each workload the newest, then of each the oldest,
/// because those show how far a change has come and what it has left behind; then the others. In
/// each round the namespaces take turns.
WorkloadFacts choose_pods(std::vector<WorkloadPod> all, std::size_t most);

/// What the pods of a cluster told, in few words.
struct WorkloadSummary {
  std::size_t pods = 0;                        ///< see `WorkloadFacts`
  std::size_t read = 0;                        ///< of them, those that were asked and told
  std::size_t unread = 0;                      ///< asked, and not known
  std::optional<base::Instant> last_end = {};  ///< when the last of their certificates ends
  std::set<std::string> issuers = {};          ///< fingerprints of what stands above those
  std::set<std::string> roots = {};            ///< fingerprints of all that they trust
};
WorkloadSummary summary_of(const WorkloadFacts& facts);

/// What a chain shows as the issuer of its first certificate, or null.
const pki::Certificate* issuer_in(const istio::Credential& credential);

}  // namespace meshtrust::mesh
