#pragma once

#include "base/json.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::mesh {

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
