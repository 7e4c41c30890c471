#pragma once

#include "mesh/condition.h"
#include "mesh/plan.h"
#include "mesh/take_up.h"
#include "profiles/mesh.h"
#include "profiles/reference.h"
#include "run/execute.h"
#include "run/istioctl.h"
#include "run/world.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace meshtrust::run {

/// The only code that changes anything outside for the sake of a mesh beyond its trust. One
/// instance serves one run.
class MeshSteps {
 public:
  /// The first address of a host.
  using Resolve = std::function<base::Result<std::string>(const std::string& host)>;

  /// `observation` is what the plan was made from. All references outlive this object.
  MeshSteps(const profiles::Mesh& mesh,
            const World& world,
            const mesh::Observation& observation,
            Istioctl& istioctl,
            Resolve resolve = {});

  // One attempt each; see `Steps`.
  Outcome apply(const mesh::Step& step, const mesh::ApplyObjects& wanted);
  Outcome await(const mesh::Step& step, const mesh::Await& wanted);
  Outcome await_take_up(const mesh::Step& step, const mesh::AwaitTakeUp& wanted);
  Outcome install(const mesh::Step& step, const mesh::Install& wanted, const Tell& tell);
  Outcome restart(const mesh::Step& step, const mesh::RestartIstiod& wanted);
  Outcome annotate(const mesh::Step& step, const mesh::Annotate& wanted);
  Outcome share(const mesh::Step& step, const mesh::ShareAccess& wanted);
  Outcome remove(const mesh::Step& step, const mesh::Delete& wanted);
  Outcome remove_namespace(const mesh::Step& step, const mesh::DeleteNamespace& wanted);
  Outcome uninstall(const mesh::Step& step, const mesh::Uninstall& wanted);
  Outcome sweep(const mesh::Step& step, const mesh::Sweep& wanted);
  Outcome release(const mesh::Step& step, const mesh::ReleaseNamespace& wanted);

  /// The value of a reference that a step elsewhere has found out; nothing where it is empty.
  void give(const std::string& reference, std::string value);

 private:
  /// What is known of references by now.
  profiles::Lookup values() const;
  /// The value of the root's label; empty while nobody knows it.
  std::string root_mark() const;
  const profiles::Cluster& cluster_of(const std::string& name) const;
  /// By which the server of a cluster was known when the plan was made.
  const std::string& uid_of(const std::string& cluster) const;
  /// What the condition of a wait has to see, looked at anew.
  base::Result<mesh::Observation> look_again(const mesh::Step& step, const mesh::Await& wanted);
  void wait_for_change(const mesh::Step& step, const mesh::Await& wanted);
  /// Gives away the address of a gateway that a wait has found, which may be a name.
  Outcome give_address(const mesh::Step& step, const mesh::Await& wanted, mesh::Verdict verdict);
  base::Error explained(const mesh::Step& step,
                        const profiles::Installation& installation,
                        base::Error error);
  base::Status apply_rendered(k8s::ApiClient& client,
                              const profiles::Installation& installation,
                              const std::string& manifests);

  const profiles::Mesh& mesh_;
  const World& world_;
  const mesh::Observation& observation_;
  Istioctl& istioctl_;
  const Resolve resolve_;

  mutable std::mutex mutex_;  ///< guards what follows
  std::map<std::string, std::string> given_;
  std::map<std::string, mesh::TakeUp> taking_up_;  ///< by step
};

}  // namespace meshtrust::run
