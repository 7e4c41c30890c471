#pragma once

#include "k8s/api_client.h"
#include "mesh/plan.h"
#include "run/execute.h"

#include <optional>
#include <string>
#include <vector>

namespace meshtrust::run {

/// The metadata of what is there under a name, with no value of a Secret. Nothing is there also of
/// a kind that the server says it does not have; whatever else goes wrong is an error.
base::Result<std::optional<k8s::SecretFacts>> look_for(k8s::ApiClient& client,
                                                       const k8s::ObjectRef& ref);

k8s::ObjectRef ref_of_doomed(const mesh::DoomedObject& object);

/// Whether istiods, or the installers that we ran, made what is there.
bool is_istios(const k8s::SecretFacts& found);

/// Deletes the very object that was `found`, in this version where one is given, and waits until it
/// is gone. One that became another meanwhile is tried again, so that the next look tells.
Outcome remove_found(k8s::ApiClient& client,
                     const k8s::ObjectRef& ref,
                     const k8s::SecretFacts& found,
                     const std::string& version = {});

/// The deletes of one step: what they come to together.
class Removals {
 public:
  /// Whether the next one may be done.
  bool take(Outcome outcome);
  /// It is not what was planned, and counts as left: the step fails.
  void leave(std::string why) { left_.push_back(std::move(why)); }
  /// It is not of this mesh, and is as it was.
  void note(std::string what) { notes_.push_back(std::move(what)); }

  Outcome outcome() &&;

 private:
  std::size_t gone_ = 0;
  std::vector<std::string> left_;
  std::vector<std::string> notes_;
  std::optional<Outcome> interruption_;
};

/// Deletes one object of a plan, of which `all` are to go, and no other. Whether the next one may
/// be done.
bool remove_planned(k8s::ApiClient& client,
                    const mesh::DoomedObject& wanted,
                    const std::vector<mesh::DoomedObject>& all,
                    Removals& removals);

/// What others keep in a namespace that is to go, and the plan does not know of.
base::Result<std::vector<mesh::ContentFacts>> newcomers(k8s::ApiClient& client,
                                                        const mesh::DeleteNamespace& wanted);

}  // namespace meshtrust::run
