#pragma once

#include "base/json.h"
#include "mesh/finding.h"
#include "profiles/mesh.h"

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// Of the samples: what is called, and what calls it. The values of the label `app`.
inline constexpr std::string_view kSampleServer = "helloworld";
inline constexpr std::string_view kSampleClient = "curl";

/// A pod of the samples, as its API server has it.
struct SamplePod {
  /// The proxy that istiod put into the pod, and where it believes to be.
  struct Sidecar {
    std::string cluster_id = {};
    std::string network = {};  ///< "" when nothing is said
    bool is_running = false;
    bool is_ready = false;
  };

  std::string name = {};
  std::string app = {};  ///< `kSampleServer` or `kSampleClient`
  bool is_ready = false;
  std::string state = {};     ///< why it is not ready: "curl: CrashLoopBackOff"
  std::string unpulled = {};  ///< the image that its node does not get, if that is why
  std::optional<Sidecar> sidecar = {};
};

/// Reads a pod; nothing of one that is being deleted.
std::optional<SamplePod> sample_pod(const base::Json& pod);

/// The first pod of an application that is ready, or null.
const SamplePod* ready_pod(std::span<const SamplePod> pods, std::string_view app);

/// What came of calling the server by its name from the client of one cluster.
struct SampleCalls {
  std::size_t made = 0;
  std::map<std::string, std::size_t> answers = {};  ///< by the pod that answered
  /// Of calls that were made after every pod that should answer had done so, with retries off: how
  /// many, and how many of them got no answer. Where all is in place none should be lost.
  std::size_t settled = 0;
  std::size_t lost = 0;
  std::string other = {};       ///< what came last in the place of an answer; "" for nothing
  std::string impossible = {};  ///< why no call could be made at all
};

/// What was seen of the samples in one cluster.
struct SampleSite {
  std::string cluster = {};
  std::string not_started = {};  ///< why its objects could not be made
  std::string no_pods = {};      ///< why Kubernetes makes no pods of them, where it says so
  std::vector<SamplePod> pods = {};
  SampleCalls calls = {};
};

/// The clusters whose workloads answer those of `cluster`: what every istiod that serves it reads.
std::vector<std::string> reachable_from(const profiles::Mesh& mesh,
                                        const profiles::Cluster& cluster);

/// Where the istiods that serve `cluster` read their configuration.
std::vector<std::string> configured_by(const profiles::Mesh& mesh,
                                       const profiles::Cluster& cluster);

/// Whether the workloads of one cluster reach those of another.
struct SampleWay {
  enum class State {
    kAnswered,
    kSilent,     ///< both ends run, and nothing got through
    kNotProved,  ///< could not be tried
  };
  std::string from;
  std::string to;
  State state = State::kNotProved;
  std::size_t answers = 0;
  std::string why = {};
};
std::string_view name_of(SampleWay::State state);

struct SampleVerdict {
  std::vector<SampleWay> ways;  ///< those that `discovery` asks for, between the sites
  std::vector<Finding> findings;
};

/// Whether the pods joined the mesh where they should, and who reached whom. That traffic could not
/// be tried is a note; that it was tried and did not get through is critical; that some calls were
/// lost where every pod answers is a warning.
SampleVerdict judge_samples(const profiles::Mesh& mesh, std::span<const SampleSite> sites);

}  // namespace meshtrust::mesh
