#pragma once

#include "mesh/observation.h"

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace meshtrust::run {

/// How much is looked at.
struct Depth {
  // NOLINTNEXTLINE(google-explicit-constructor): a level is a depth at which no pod is asked
  Depth(mesh::Level wanted, std::size_t pods = 0) : level(wanted), most_pods(pods) {}

  mesh::Level level;
  /// Of each cluster so many pods are asked what they present and trust; on level `kDeep` alone.
  std::size_t most_pods;
};

/// Hears how far an observation is. Called from any thread; has to return soon.
struct Onlooker {
  /// A cluster is asked for something: "https://10.0.0.1:6443", "what is in its namespaces".
  std::function<void(const std::string& cluster, const std::string& what)> begun = {};
  /// It has answered, or was given up.
  std::function<void(const std::string& cluster)> ended = {};
  /// All that was to be seen of a cluster was seen, or is unknown.
  std::function<void(const mesh::ClusterObservation& cluster)> seen = {};
};

/// What one cluster is asked for, told while this object lives.
class Asking {
 public:
  /// `onlooker` outlives this.
  Asking(const Onlooker& onlooker, std::string cluster, const std::string& what)
      : onlooker_(onlooker), cluster_(std::move(cluster)) {
    if (onlooker_.begun) onlooker_.begun(cluster_, what);
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  ~Asking() {
    if (onlooker_.ended) onlooker_.ended(cluster_);
  }

 private:
  const Onlooker& onlooker_;
  const std::string cluster_;
};

}  // namespace meshtrust::run
