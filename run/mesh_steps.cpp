#include "run/mesh_steps.h"

#include "istio/names.h"
#include "k8s/watch.h"
#include "mesh/expectation.h"
#include "mesh/installed.h"
#include "mesh/known.h"
#include "mesh/trust.h"
#include "profiles/model.h"
#include "run/observe.h"
#include "run/observe_mesh.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using std::chrono::milliseconds;

/// How long one attempt at a wait watches; then the next one does.
constexpr milliseconds kWatching{2'000};
/// Between two looks at what an istiod was refused.
constexpr milliseconds kBetweenRefusals{3'000};
/// Between two questions for a name, which resolvers remember for a while.
constexpr milliseconds kBetweenNames{5'000};

k8s::ObjectRef ref_of_object(const profiles::Object& object) {
  return {.api_version = object.api_version,
          .kind = object.kind,
          .resource = object.resource,
          .namespace_name = object.namespace_name,
          .name = object.name};
}

}  // namespace

MeshSteps::MeshSteps(const profiles::Mesh& mesh,
                     const World& world,
                     const mesh::Observation& observation,
                     Istioctl& istioctl,
                     Resolve resolve)
    : mesh_(mesh),
      world_(world),
      observation_(observation),
      istioctl_(istioctl),
      resolve_(std::move(resolve)) {}

profiles::Lookup MeshSteps::values() const {
  return [this, known = mesh::known_values(mesh_, observation_)](
             const std::string& name) -> std::optional<std::string> {
    {
      const std::lock_guard guard(mutex_);
      const auto found = given_.find(name);
      if (found != given_.end()) return found->second;
    }
    return known(name);
  };
}

std::string MeshSteps::root_mark() const {
  return values()(std::string(profiles::kRootReference)).value_or("");
}

void MeshSteps::give(const std::string& reference, std::string value) {
  if (value.empty()) return;
  const std::lock_guard guard(mutex_);
  given_[reference] = std::move(value);
}

const profiles::Cluster& MeshSteps::cluster_of(const std::string& name) const {
  const profiles::Cluster* cluster = mesh_.find(name);
  MESHTRUST_CHECK(cluster != nullptr);
  return *cluster;
}

const std::string& MeshSteps::uid_of(const std::string& cluster) const {
  const mesh::ClusterObservation* seen = observation_.find(cluster);
  const mesh::ServerFacts* server =
      seen == nullptr ? nullptr : seen->server.found(mesh::Unknown::kTold);
  MESHTRUST_CHECK(server != nullptr);  // no step touches a server that is not known
  return server->cluster_uid;
}

Outcome MeshSteps::apply(const mesh::Step& step, const mesh::ApplyObjects& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  std::size_t created = 0;
  for (const profiles::Object& object : wanted.objects) {
    const Json body = profiles::resolve(object.body, values());
    if (const auto open = profiles::references_in(body); !open.empty()) {
      return Failed{Error{.code = Code::kInternal,
                          .message = fmt::format("nothing gave a value to '{}'", open.front())}};
    }
    Outcome outcome = apply_and_verify(**client, ref_of_object(object), body);
    const auto* done = std::get_if<Done>(&outcome);
    if (done == nullptr) return outcome;
    if (done->detail == "created") ++created;
  }
  const std::size_t all = wanted.objects.size();
  if (all == 1) return Done{.changed = true, .detail = created == 1 ? "created" : "changed"};
  return Done{.changed = true, .detail = fmt::format("{} of {} objects created", created, all)};
}

Outcome MeshSteps::annotate(const mesh::Step& step, const mesh::Annotate& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const auto changed = (*client)->change(ref_of_object(wanted.object), [&wanted](Json& object) {
    object.merge_patch(wanted.object.body);
    return base::Status();
  });
  if (!changed) return Failed{changed.error()};
  return Done{.changed = true, .detail = "changed"};
}

Outcome MeshSteps::restart(const mesh::Step& step, const mesh::RestartIstiod& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const std::string at = base::format_rfc3339(world_.environment.clock.now());
  const auto changed = (*client)->change(
      k8s::deployment_ref(wanted.namespace_name, wanted.deployment), [&at](Json& deployment) {
        deployment["spec"]["template"]["metadata"]["annotations"][mesh::kRestartAnnotation] = at;
        return base::Status();
      });
  if (!changed) return Failed{changed.error()};
  return Done{.changed = true, .detail = "restarting"};
}

Result<mesh::Observation> MeshSteps::look_again(const mesh::Step& step, const mesh::Await& wanted) {
  const mesh::Look& look = mesh::condition(wanted.condition).look;
  mesh::Observation now{.at = world_.environment.clock.now(),
                        .mesh = mesh_.name,
                        .level = mesh::Level::kDeep,
                        .store = {},
                        .clusters = {}};
  const profiles::Cluster& cluster = cluster_of(step.cluster);
  MESHTRUST_TRY(k8s::ApiClient* const client, world_.clusters.client(step.cluster));
  if (look.trust) {
    now.clusters.push_back(observe_trust(mesh_, cluster, world_));
    for (const std::string& issuer : mesh::issuers_of(cluster)) {
      if (issuer == cluster.name) continue;
      now.clusters.push_back(observe_trust(mesh_, cluster_of(issuer), world_));
    }
    now.store = observe_store(world_);
  } else {
    now.clusters.emplace_back().name = cluster.name;
  }
  mesh::LiveMesh& live = now.clusters.front().live;
  MeshObserver observer(mesh_, cluster, *client);
  if (!look.resources.empty()) live.objects = observer.objects(look.resources);
  if (look.secrets) live.tokens = observer.tokens();
  if (look.istiods) live.istiods = observer.istiods();
  return now;
}

/// Returns when the watched objects change, or after a while.
void MeshSteps::wait_for_change(const mesh::Step& step, const mesh::Await& wanted) {
  const mesh::Condition& condition = mesh::condition(wanted.condition);
  const auto client = world_.clusters.client(step.cluster);
  const auto ref = ref_of(condition.look.watched, wanted.namespace_name);
  if (!client || !ref) return;
  std::size_t seen = 0;
  (void)k8s::watch(**client, *ref, {.until = world_.environment.clock.steady() + kWatching},
                   [&seen](const k8s::Objects&) {
                     return ++seen > 1 ? k8s::Watching::kEnough : k8s::Watching::kGoOn;
                   });
}

Outcome MeshSteps::await(const mesh::Step& step, const mesh::Await& wanted) {
  const mesh::Condition& condition = mesh::condition(wanted.condition);
  const mesh::Expectation expectation{.cluster = step.cluster,
                                      .id = step.id,
                                      .condition = condition.id,
                                      .namespace_name = wanted.namespace_name,
                                      .revision = wanted.revision};
  const auto ask = [&]() -> Result<mesh::Verdict> {
    MESHTRUST_TRY(const mesh::Observation now, look_again(step, wanted));
    return mesh::ask(expectation, mesh_, now, now.at);
  };
  auto verdict = ask();
  if (!verdict) return Failed{verdict.error()};
  const bool is_over = verdict->state == mesh::Verdict::State::kYes || verdict->is_forbidden ||
                       verdict->awaits_person;
  if (!is_over && !condition.look.watched.empty()) {
    wait_for_change(step, wanted);
    verdict = ask();
    if (!verdict) return Failed{verdict.error()};
  }
  if (verdict->is_forbidden || verdict->awaits_person) {
    return Failed{Error{.code = verdict->is_forbidden ? Code::kPermission : Code::kRefused,
                        .message = std::move(verdict->why),
                        .hints = std::move(verdict->hints)}};
  }
  if (verdict->state != mesh::Verdict::State::kYes) {
    std::vector<std::string> hints = std::move(verdict->evidence);
    std::move(verdict->hints.begin(), verdict->hints.end(), std::back_inserter(hints));
    const bool watched = !condition.look.watched.empty();
    return NotYet{.why = std::move(verdict->why),
                  .wake = watched ? milliseconds{1} : condition.look.pause,
                  .hints = std::move(hints)};
  }
  if (!wanted.gives.empty()) return give_address(step, wanted, *std::move(verdict));
  return Done{.changed = false, .detail = std::move(verdict->why)};
}

Outcome MeshSteps::await_take_up(const mesh::Step& step, const mesh::AwaitTakeUp& wanted) {
  const auto client = world_.clusters.client(step.cluster);
  if (!client) return Failed{client.error()};
  const auto refusals =
      MeshObserver(mesh_, cluster_of(step.cluster), **client).refusals(wanted.source);
  if (!refusals && refusals.error().code == Code::kCancelled) return Failed{refusals.error()};
  const auto now = std::chrono::duration_cast<milliseconds>(
      world_.environment.clock.steady().time_since_epoch());
  const std::lock_guard guard(mutex_);
  mesh::TakeUp& take_up = taking_up_.try_emplace(step.id, wanted.source).first->second;
  mesh::Verdict verdict =
      refusals ? take_up.judge(*refusals, now) : take_up.judge_unseen(refusals.error(), now);
  if (verdict.state == mesh::Verdict::State::kYes) {
    return Done{.changed = false, .detail = std::move(verdict.why)};
  }
  return NotYet{.why = std::move(verdict.why),
                .wake = kBetweenRefusals,
                .hints = {fmt::format("look with 'kubectl --context {} -n {} logs deploy/{}': "
                                      "it says what it is refused",
                                      cluster_of(step.cluster).context, wanted.namespace_name,
                                      istio::istiod_name(mesh_.istio.revision))}};
}

Outcome MeshSteps::give_address(const mesh::Step& step,
                                const mesh::Await& wanted,
                                mesh::Verdict verdict) {
  const profiles::Cluster& cluster = cluster_of(step.cluster);
  const std::string& address = verdict.value;
  const bool is_name = std::any_of(address.begin(), address.end(), [](char one) {
    return (one >= 'g' && one <= 'z') || one == '-';
  });
  if (!is_name || !profiles::exposes_istiod(mesh_, cluster)) {
    give(wanted.gives, address);
    return Done{.changed = false, .detail = std::move(verdict.why)};
  }
  if (const std::string why = mesh::why_not_by_name(mesh_, cluster); !why.empty()) {
    return Failed{Error{
        .code = Code::kRefused,
        .message = fmt::format("{}: {} ('{}')", step.cluster, why, address),
        .hints = {"give its load balancer a fixed address and write it as "
                  "'eastWestGateway.address'",
                  "or write 'eastWestGateway.pinHostname: true' to have the name resolved once; "
                  "the addresses behind some names change"}}};
  }
  MESHTRUST_CHECK(resolve_ != nullptr);
  auto resolved = resolve_(address);
  if (!resolved) {
    return NotYet{
        .why = std::move(resolved).error().message,
        .wake = kBetweenNames,
        .hints = {"names of new load balancers take minutes to spread; --timeout says how long one "
                  "is waited for",
                  fmt::format("does this machine know it? look with 'getent hosts {}'", address),
                  "if it never will, give its load balancer a fixed address and write it as "
                  "'eastWestGateway.address'"}};
  }
  give(wanted.gives, *resolved);
  return Done{.changed = false, .detail = fmt::format("{} is {}", address, *resolved)};
}

}  // namespace meshtrust::run
