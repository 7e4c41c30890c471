#pragma once

#include "base/json.h"
#include "k8s/api_client.h"
#include "mesh/observation.h"
#include "mesh/ownership.h"
#include "profiles/mesh.h"

#include <chrono>
#include <string>

namespace meshtrust::run {

/// The namespace of the samples in one cluster after another: whose it is, and taking it away.
class SampleNamespace {
 public:
  /// `mesh` and `observation`, by which it is told whose one is, outlive it.
  SampleNamespace(const profiles::Mesh& mesh,
                  const mesh::Observation& observation,
                  std::string name)
      : observation_(observation),
        owners_(mesh, observation),
        name_(std::move(name)),
        has_sidecars_(mesh.istio.data_plane == profiles::DataPlane::kSidecar) {}

  const std::string& name() const { return name_; }

  /// That nothing speaks against making it: kRefused while one of that name is there that is not
  /// of this mesh's samples, kPermission when the server would not let us do all that is needed.
  base::Status check(const std::string& cluster, k8s::ApiClient& client) const;

  /// Deletes it where it is there and waits until it is gone; nothing happens to one that is not of
  /// this mesh's samples. kNotYet after `at_most`, with what the server still waits for.
  base::Status remove(const std::string& cluster,
                      k8s::ApiClient& client,
                      std::chrono::milliseconds at_most) const;

  /// The labels of the samples, once it is known what there is to know of the mesh's root.
  base::Json marked(base::Json body) const;

 private:
  struct Found;
  base::Result<std::optional<Found>> find(const std::string& cluster, k8s::ApiClient& client) const;
  bool is_ours(const std::string& cluster, const mesh::Marks& marks) const;

  const mesh::Observation& observation_;
  const mesh::OwnerJudge owners_;
  std::string name_;
  bool has_sidecars_;
};

}  // namespace meshtrust::run
