#pragma once

#include "k8s/api_client.h"
#include "profiles/mesh.h"

#include <chrono>
#include <string>

namespace meshtrust::run {

/// The namespace of the samples in one cluster after another: whose it is, and taking it away.
class SampleNamespace {
 public:
  /// `mesh` outlives it.
  SampleNamespace(const profiles::Mesh& mesh, std::string name)
      : mesh_(mesh), name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  /// That nothing speaks against making it: kRefused while one of that name is there that is not
  /// of this mesh's samples, kPermission when the server would not let us do all that is needed.
  base::Status check(k8s::ApiClient& client) const;

  /// Deletes it where it is there and waits until it is gone; nothing happens to one that is not of
  /// this mesh's samples. kNotYet after `at_most`, with what the server still waits for.
  base::Status remove(k8s::ApiClient& client, std::chrono::milliseconds at_most) const;

 private:
  struct Found;
  base::Result<std::optional<Found>> find(k8s::ApiClient& client) const;

  const profiles::Mesh& mesh_;
  std::string name_;
};

}  // namespace meshtrust::run
