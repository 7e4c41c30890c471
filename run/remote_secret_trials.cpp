#include "profiles/remote_secret.h"
#include "run/access_trial.h"
#include "run/observe_mesh.h"
#include "run/pool.h"
#include "run/secret_facts.h"

#include <optional>
#include <utility>
#include <vector>

namespace meshtrust::run {
namespace {

using mesh::AccessTrial;
using mesh::Observed;

/// Tries what the Secrets in one cluster hold.
class Trials {
 public:
  Trials(const profiles::Mesh& mesh,
         const mesh::Observation& observation,
         const std::vector<profiles::RemoteSecretIntent>& intents,
         const profiles::Cluster& holder,
         k8s::ApiClient& client)
      : mesh_(mesh),
        observation_(observation),
        intents_(intents),
        holder_(holder),
        client_(client) {}

  void make(mesh::RemoteSecretFacts& facts) const {
    const auto secret = client_.get_secret(k8s::secret_ref(facts.namespace_name, facts.name));
    for (mesh::RemoteCluster& one : facts.clusters) {
      one.trial = make_one(secret, one.cluster, intent_of(facts.name, one.cluster));
    }
  }

 private:
  using Answer = base::Result<std::optional<k8s::SecretObject>>;

  /// What the mesh wants of an entry; nothing of what is not of this mesh.
  std::optional<profiles::RemoteSecretIntent> intent_of(const std::string& name,
                                                        const std::string& key) const {
    for (const profiles::RemoteSecretIntent& intent : intents_) {
      if (intent.target != holder_.name) continue;
      const profiles::RemoteSecret wanted = profiles::remote_secret(mesh_, intent);
      if (wanted.name == name && wanted.key == key) return intent;
    }
    return std::nullopt;
  }

  Observed<AccessTrial> make_one(const Answer& secret,
                                 const std::string& key,
                                 const std::optional<profiles::RemoteSecretIntent>& intent) const {
    if (!secret) return Observed<AccessTrial>::unknown(secret.error());
    if (!*secret) return mesh::Absent{};
    const auto text = (**secret).data.find(key);
    if (text == (**secret).data.end()) return mesh::Absent{};
    const AccessWish wish = intent ? wish_for(mesh_, observation_, *intent) : AccessWish{};
    auto trial = try_access(client_.effects(), read_remote_kubeconfig(text->second), wish);
    return trial ? Observed<AccessTrial>(*std::move(trial))
                 : Observed<AccessTrial>::unknown(std::move(trial).error());
  }

  const profiles::Mesh& mesh_;
  const mesh::Observation& observation_;
  const std::vector<profiles::RemoteSecretIntent>& intents_;
  const profiles::Cluster& holder_;
  k8s::ApiClient& client_;
};

}  // namespace

void try_remote_secrets(const profiles::Mesh& mesh,
                        const World& world,
                        mesh::Observation& observation,
                        const Onlooker& onlooker) {
  struct Task {
    std::size_t cluster = 0;
    mesh::RemoteSecretFacts facts = {};
  };
  // Each reads what is known of all: nothing is changed before they are done.
  std::vector<Task> tasks;
  for (std::size_t index = 0; index < observation.clusters.size(); ++index) {
    const auto* found = observation.clusters[index].live.remote_secrets.found(mesh::Unknown::kTold);
    if (found == nullptr) continue;
    for (const mesh::RemoteSecretFacts& facts : *found) {
      tasks.push_back({.cluster = index, .facts = facts});
    }
  }
  // There are as many as pairs of clusters: made once, and not for every entry.
  const auto intents = profiles::remote_secrets(mesh);
  for_each_index(tasks.size(), world.jobs, [&](std::size_t index) {
    const std::string& name = observation.clusters[tasks[index].cluster].name;
    const auto client = world.clusters.client(name);
    const profiles::Cluster* holder = mesh.find(name);
    if (!client || holder == nullptr) return;
    const Asking asking(onlooker, name, "API servers, as its remote secrets name them");
    Trials(mesh, observation, intents, *holder, **client).make(tasks[index].facts);
  });
  std::vector<std::vector<mesh::RemoteSecretFacts>> tried(observation.clusters.size());
  for (Task& task : tasks) {
    tried[task.cluster].push_back(std::move(task.facts));
  }
  for (std::size_t index = 0; index < tried.size(); ++index) {
    if (!tried[index].empty()) {
      observation.clusters[index].live.remote_secrets = std::move(tried[index]);
    }
  }
}

}  // namespace meshtrust::run
