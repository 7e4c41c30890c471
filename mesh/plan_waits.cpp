#include "mesh/plan_waits.h"

#include "istio/names.h"
#include "mesh/access.h"
#include "mesh/expectation.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace meshtrust::mesh {
namespace {

using profiles::Cluster;
using profiles::Mesh;
using profiles::RemoteSecretIntent;

using Ids = std::vector<std::string>;

class WaitPlanner {
 public:
  WaitPlanner(const Mesh& mesh,
              const Observation& observation,
              base::Instant at,
              const profiles::Lookup& known,
              Plan& plan)
      : mesh_(mesh), observation_(observation), at_(at), known_(known), plan_(plan) {
    for (const Step& step : plan_.steps) {
      made_.insert(step.id);
    }
  }

  /// A wait has a step when something before it has, or when it does not hold.
  void run() {
    std::vector<Expectation> open = expectations(mesh_);
    for (bool found = true; found;) {
      found = false;
      for (auto one = open.begin(); one != open.end();) {
        if (!has_to_wait(*one)) {
          ++one;
          continue;
        }
        plan_wait(*one);
        one = open.erase(one);
        found = true;
      }
    }
  }

 private:
  /// Peers look up the CA of a new cluster in lists of their own, so those come before its first
  /// workload.
  Ids proved_after(const std::string& name) const {
    Ids ids{id(name, "cacerts"), id(name, istio::kPublicTwin)};
    for (const Cluster& cluster : mesh_.clusters) {
      ids.push_back(id(cluster.name, "lists"));
    }
    return ids;
  }

  static std::string id(const std::string& cluster, std::string_view what) {
    return fmt::format("{}/{}", cluster, what);
  }

  /// What has to be done before it makes sense to wait for an expectation.
  Ids awaited_after(const Expectation& expectation) const {
    const std::string& name = expectation.cluster;
    const auto is = [&expectation](std::string_view what) {
      return expectation.id == id(expectation.cluster, what);
    };
    if (is("networks")) return networks_after(name);
    if (is("proved")) return proved_after(name);
    if (is("ingress-control-plane") || is("ingress-webhooks")) return {id(name, "ingress")};
    if (is("ingress-gateway-up") || is("ingress-address")) return {id(name, "ingress-gateway")};
    if (is("control-plane")) {
      return {id(name, "istiod"), id(name, "external"), id(name, "restart")};
    }
    if (is("node-agents")) return {id(name, "istiod")};
    if (is("webhooks")) return {id(name, "istiod"), id(name, "adopted")};
    if (is("gateway-up") || is("gateway-address")) return {id(name, "gateway")};
    if (is("adopted")) return adopted_after(*mesh_.find(name));
    return synced_after(name);
  }

  Ids adopted_after(const Cluster& cluster) const {
    Ids needs{id(cluster.name, "remote"), id(cluster.name, "config")};
    for (const std::string& manager : cluster.control_plane) {
      needs.push_back(id(manager, "access-" + cluster.name));
      needs.push_back(id(manager, "control-plane"));
      needs.push_back(id(manager, "exposure"));
    }
    return needs;
  }

  Ids synced_after(const std::string& target) const {
    Ids needs{id(target, "control-plane")};
    for (const RemoteSecretIntent& intent : profiles::remote_secrets(mesh_)) {
      if (intent.target != target) continue;
      needs.push_back(access_step(intent));
      needs.push_back(take_up_step(intent));
    }
    return needs;
  }

  Ids networks_after(const std::string& name) const {
    Ids needs{id(name, "synced")};
    for (const Cluster& other : mesh_.clusters) {
      needs.push_back(id(other.name, "gateway"));
      needs.push_back(id(other.name, "gateway-address"));
    }
    return needs;
  }

  bool has_to_wait(const Expectation& expectation) const {
    if (observation_.find(expectation.cluster) == nullptr) return false;
    if (!expectation.gives.empty() && profiles::stated_addresses(mesh_)(expectation.gives)) {
      return false;
    }
    const Ids before = awaited_after(expectation);
    if (std::any_of(before.begin(), before.end(),
                    [this](const std::string& one) { return made_.contains(one); })) {
      return true;
    }
    // An address that an installation is waiting for.
    if (!expectation.gives.empty() && !known_(expectation.gives) && is_wanted(expectation.gives)) {
      return true;
    }
    // Trust that is not proved and that nobody is about to change is a finding.
    if (expectation.condition == kTrustProved) return false;
    return ask(expectation, mesh_, observation_, at_).state == Verdict::State::kNo;
  }

  bool is_wanted(const std::string& reference) const {
    const auto& steps = plan_.steps;
    return std::any_of(steps.begin(), steps.end(), [&reference](const Step& step) {
      return std::find(step.needs.begin(), step.needs.end(), reference) != step.needs.end();
    });
  }

  void plan_wait(const Expectation& expectation) {
    const Condition& what = condition(expectation.condition);
    made_.insert(expectation.id);
    plan_.steps.push_back({.id = expectation.id,
                           .cluster = expectation.cluster,
                           .change = Change::kWait,
                           .title = std::string(what.question),
                           .reason = {},
                           .needs = awaited_after(expectation),
                           .diff = {},
                           .action = Await{.condition = std::string(expectation.condition),
                                           .namespace_name = expectation.namespace_name,
                                           .revision = expectation.revision,
                                           .gives = expectation.gives}});
  }

  const Mesh& mesh_;
  const Observation& observation_;
  const base::Instant at_;
  const profiles::Lookup& known_;
  Plan& plan_;
  std::set<std::string> made_;  ///< ids of all steps
};

}  // namespace

void add_waits(const Mesh& mesh,
               const Observation& observation,
               base::Instant at,
               const profiles::Lookup& known,
               Plan& plan) {
  WaitPlanner(mesh, observation, at, known, plan).run();
}

}  // namespace meshtrust::mesh
