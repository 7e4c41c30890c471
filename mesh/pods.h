#pragma once

#include "base/json.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// What the container of a sidecar, a gateway or a ztunnel is called.
inline constexpr std::string_view kProxyContainer = "istio-proxy";

/// The entry of a list (containers, variables, statuses) that has that name, or null.
const base::Json* named_in(const base::Json& list, std::string_view name);
/// The proxy of a pod, beside its other containers or among those that start before them and go
/// on; null where it has none.
const base::Json* proxy_container(const base::Json& pod);
/// The value of an environment variable of a container; empty where there is none.
std::string variable_of(const base::Json& container, std::string_view name);

/// The reason of a container that has ended several times, while the kubelet rests.
inline constexpr std::string_view kCrashLoop = "CrashLoopBackOff";

/// What keeps a container from running, by the fields of its status.
struct PodTrouble {
  std::string pod = {};
  std::string container = {};
  std::string reason = {};  ///< "ImagePullBackOff", "CrashLoopBackOff", "Error"
  std::string image = {};   ///< the one that its node does not get; empty when that is not it
  bool is_resting = false;  ///< between two attempts to get the image
  bool is_final = false;    ///< the image will not be asked for again
  std::int64_t restarts = 0;

  friend bool operator==(const PodTrouble&, const PodTrouble&) = default;
};

/// The first container that says why it does not go on; those that start before others come first.
std::optional<PodTrouble> trouble_of(const base::Json& pod);
/// "curl: ImagePullBackOff for image 'curl:8'", "discovery: CrashLoopBackOff, restarted 2 times".
std::string describe(const PodTrouble& trouble);

/// The first container that has been restarted, in a pod that is not ready, whether it runs at this
/// moment or not.
std::optional<PodTrouble> restarted_in(const base::Json& pod);

/// That pods of a ReplicaSet are not created: a quota, a webhook or pod security refuses them.
struct PodRefusal {
  std::string replica_set = {};
  /// The API server's words, on one line; in the names of pods, which no two attempts share, "*"
  /// stands for what is made up.
  std::string why = {};
  /// Tells one attempt from the next. Without one `why` is from the first of them: controllers
  /// leave the words of a condition as they are while it lasts.
  std::string attempt = {};
  bool is_total = false;  ///< it has no pod at all

  friend bool operator==(const PodRefusal&, const PodRefusal&) = default;
};

/// By the condition ReplicaFailure of a ReplicaSet that wants pods, in the words of the newest of
/// `events` (core/v1) about it. A controller that cannot delete one says so by that condition as
/// well, which is nothing of this kind.
std::optional<PodRefusal> refusal_of(const base::Json& replica_set,
                                     const std::vector<base::Json>& events);
/// The same where nobody has looked at events.
std::optional<PodRefusal> refusal_of(const base::Json& replica_set);
/// "no pod of istiod-5f7 is created: exceeded quota".
std::string describe(const PodRefusal& refusal);

/// Whether its condition Ready holds.
bool is_ready(const base::Json& pod);
/// In words, of a pod that is not: its trouble, else a condition's message, else its phase.
std::string why_not_ready(const base::Json& pod);

/// Tells when it is no use to wait for pods any longer: an image that two attempts did not bring,
/// for one may fail by chance, or that is not asked for again; a container that has been restarted
/// three times and whose pod is not ready.
class PodPatience {
 public:
  /// A look at one pod; every look counts.
  void see(const base::Json& pod);
  /// What there is no hope for, if anything.
  const std::optional<PodTrouble>& exhausted_by() const { return exhausted_by_; }

 private:
  struct Container {
    int rests = 0;
    bool was_resting = false;
  };
  void see_container(const base::Json& pod, const base::Json& status);

  std::map<std::string, Container> containers_;  ///< by UID of the pod and name
  std::optional<PodTrouble> exhausted_by_;
};

}  // namespace meshtrust::mesh
