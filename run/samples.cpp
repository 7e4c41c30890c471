#include "run/samples.h"

#include "base/text.h"
#include "k8s/wait.h"
#include "mesh/pods.h"
#include "run/pool.h"
#include "run/sample_calls.h"
#include "run/sample_namespace.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;
using std::chrono::milliseconds;

/// The most that calls may take, however long pods may.
constexpr milliseconds kCalling{180'000};
/// A webhook in the way of an object may take a moment to be there.
constexpr int kMostAttempts = 10;
constexpr milliseconds kBetweenAttempts{1'000};

/// One thing that is told while it goes on.
class Telling {
 public:
  Telling(Events& events, std::mutex& mutex, const base::Clock& clock, mesh::Step step)
      : events_(events),
        mutex_(mutex),
        clock_(clock),
        step_(std::move(step)),
        begun_(clock.steady()) {
    const std::lock_guard guard(mutex_);
    events_.started(step_);
  }

  void waiting(std::string_view why) const {
    const std::lock_guard guard(mutex_);
    events_.waiting(step_, why);
  }
  void done(std::string detail) const { finish(StepState::kDone, std::move(detail), {}); }
  void failed(const Error& why) const { finish(StepState::kFailed, why.message, why); }

 private:
  void finish(StepState state, std::string detail, const Error& error) const {
    const auto took = std::chrono::duration_cast<milliseconds>(clock_.steady() - begun_);
    const std::lock_guard guard(mutex_);
    events_.finished(step_, {.id = step_.id,
                             .cluster = step_.cluster,
                             .state = state,
                             .changed = true,
                             .detail = std::move(detail),
                             .error = error,
                             .took = took});
  }

  Events& events_;
  std::mutex& mutex_;
  const base::Clock& clock_;
  const mesh::Step step_;
  const base::Clock::Steady begun_;
};

/// One try of the samples in one cluster.
struct Site {
  const profiles::Cluster& cluster;
  mesh::SampleSite seen;
  std::optional<Error> error = {};  ///< of what is under way
  std::optional<Error> left = {};
  bool is_begun = false;
};

class Samples {
 public:
  Samples(const profiles::Mesh& mesh,
          const mesh::Observation& observation,
          const World& world,
          const Clusters& cleaning,
          Events& events,
          const SampleOptions& options)
      : mesh_(mesh),
        world_(world),
        cleaning_(cleaning),
        events_(events),
        options_(options),
        namespace_(mesh, observation, options.namespace_name) {
    const std::vector<std::string>& only = options.clusters;
    for (const profiles::Cluster& cluster : mesh.clusters) {
      const bool is_wanted =
          only.empty() || std::find(only.begin(), only.end(), cluster.name) != only.end();
      if (cluster.role == profiles::Role::kExternal || !is_wanted) continue;
      sites_.push_back({.cluster = cluster, .seen = {.cluster = cluster.name}});
    }
  }

  SampleRun run() {
    on_each([this](Site& site) { prepare(site); });
    SampleRun result;
    result.errors = take_errors();
    if (!result.errors.empty()) return result;

    const auto until = world_.environment.clock.steady() + options_.at_most;
    on_each([this, until](Site& site) { start(site, until); });
    on_each([this](Site& site) { call(site); });
    result.errors = take_errors();
    on_each([this](Site& site) { clean_up(site); });

    for (Site& site : sites_) {
      result.sites.push_back(std::move(site.seen));
      if (site.left) result.left.push_back(*std::move(site.left));
    }
    return result;
  }

 private:
  void on_each(const std::function<void(Site&)>& work) {
    for_each_index(sites_.size(), world_.jobs, [&](std::size_t index) { work(sites_[index]); });
  }

  /// Of a run that was interrupted one says it all.
  base::Errors take_errors() {
    base::Errors errors;
    for (Site& site : sites_) {
      if (!site.error) continue;
      const bool is_cancelled = site.error->code == Code::kCancelled;
      Error error = is_cancelled ? *site.error : with_context(*site.error, site.cluster.name);
      site.error.reset();
      if (is_cancelled) return {std::move(error)};
      errors.push_back(std::move(error));
    }
    return errors;
  }

  Telling tell(const Site& site, const char* id, std::string title) {
    return {events_, events_mutex_, world_.environment.clock,
            mesh::Step{.id = fmt::format("{}/{}", site.cluster.name, id),
                       .cluster = site.cluster.name,
                       .title = std::move(title),
                       .reason = {},
                       .needs = {},
                       .diff = {},
                       .action = mesh::Await{}}};
  }

  void prepare(Site& site) const {
    const auto client = world_.clusters.client(site.cluster.name);
    Status ready =
        client ? namespace_.check(site.cluster.name, **client) : Status(base::fail(client.error()));
    if (!ready) site.error = std::move(ready).error();
  }

  void start(Site& site, base::Clock::Steady until) {
    const Telling telling = tell(site, "samples", "sample workloads");
    site.is_begun = true;
    k8s::ApiClient& client = **world_.clusters.client(site.cluster.name);
    Status made = make_objects(client, site);
    if (made) made = await_pods(client, site, until, telling);
    if (!made) {
      site.seen.not_started = made.error().message;
      telling.failed(made.error());
      site.error = std::move(made).error();
      return;
    }
    telling.done(describe_pods(site));
  }

  Status make_objects(k8s::ApiClient& client, const Site& site) const {
    // What a run that was killed has left.
    MESHTRUST_TRY_DO(namespace_.remove(site.cluster.name, client, options_.at_most));
    const auto objects = profiles::samples(mesh_, site.cluster, options_.namespace_name);
    for (const profiles::Object& object : objects) {
      const k8s::ObjectRef ref{.api_version = object.api_version,
                               .kind = object.kind,
                               .resource = object.resource,
                               .namespace_name = object.namespace_name,
                               .name = object.name};
      const Json body = namespace_.marked(object.body);
      if (ref.resource == "namespaces") {
        // Never one that somebody else made meanwhile.
        MESHTRUST_TRY_DO(client.create(ref, body));
      } else {
        MESHTRUST_TRY_DO(write(client, ref, body));
      }
    }
    return {};
  }

  static Status write(k8s::ApiClient& client, const k8s::ObjectRef& ref, const Json& body) {
    for (int attempt = 1;; ++attempt) {
      const Outcome outcome = apply_and_verify(client, ref, body);
      if (std::holds_alternative<Done>(outcome)) return {};
      if (const auto* failed = std::get_if<Failed>(&outcome)) return base::fail(failed->why);
      const auto* retry = std::get_if<Retry>(&outcome);
      if (retry != nullptr && attempt == kMostAttempts) return base::fail(retry->why);
      MESHTRUST_TRY_DO(client.pause().wait(kBetweenAttempts));
    }
  }

  static std::string describe_pods(const Site& site) {
    const std::vector<mesh::SamplePod>& pods = site.seen.pods;
    const auto ready = static_cast<std::size_t>(
        std::count_if(pods.begin(), pods.end(), [](const auto& pod) { return pod.is_ready; }));
    const auto lacking = std::find_if(pods.begin(), pods.end(),
                                      [](const auto& pod) { return !pod.unpulled.empty(); });
    std::string text = fmt::format("{} ready", base::count_of(ready, "pod"));
    if (lacking != pods.end()) {
      text += fmt::format("; image '{}' cannot be pulled", lacking->unpulled);
    }
    return text;
  }

  /// Notes the pods as they are; that they do not become ready in time, or ever, is a fact, no
  /// error.
  Status await_pods(k8s::ApiClient& client,
                    Site& site,
                    base::Clock::Steady until,
                    const Telling& telling) const {
    mesh::PodPatience patience;
    const k8s::Condition are_ready = [&site, &patience](const k8s::Objects& objects) {
      k8s::Verdict verdict = look_at_pods(site, objects);
      for (const auto& [name, pod] : objects) {
        patience.see(pod);
      }
      verdict.holds = verdict.holds || patience.exhausted_by();
      return verdict;
    };
    const auto left = std::chrono::ceil<milliseconds>(until - world_.environment.clock.steady());
    const Status waited =
        k8s::wait_for(client, k8s::pods_ref(options_.namespace_name), are_ready,
                      {.at_most = std::max(left, milliseconds{0}),
                       .on_seen = [&telling](std::string_view seen) { telling.waiting(seen); }});
    if (waited) return {};
    if (waited.error().code != Code::kNotYet) return base::fail(waited.error());
    site.seen.no_pods = why_no_pods(client, site);
    return {};
  }

  static k8s::Verdict look_at_pods(Site& site, const k8s::Objects& objects) {
    site.seen.pods.clear();
    std::vector<std::string> unready;
    for (const auto& [name, object] : objects) {
      auto pod = mesh::sample_pod(object);
      if (!pod) continue;
      if (!pod->is_ready) unready.push_back(fmt::format("{} ({})", pod->name, pod->state));
      site.seen.pods.push_back(*std::move(pod));
    }
    const bool holds = ready_pod(site.seen.pods, mesh::kSampleServer) != nullptr &&
                       ready_pod(site.seen.pods, mesh::kSampleClient) != nullptr;
    const std::string seen = site.seen.pods.empty() ? "no pods yet"
                             : unready.empty()
                                 ? base::count_of(site.seen.pods.size(), "pod") + " ready"
                                 : "not ready: " + base::join(unready, ", ");
    return {.holds = holds, .seen = seen};
  }

  /// What the Deployments say where their pods are refused.
  std::string why_no_pods(k8s::ApiClient& client, const Site& site) const {
    for (const auto& object : profiles::samples(mesh_, site.cluster, options_.namespace_name)) {
      if (object.kind != "Deployment") continue;
      const auto live = client.get(k8s::deployment_ref(options_.namespace_name, object.name));
      if (!live || !*live) continue;
      const Json& conditions = base::at_path(**live, {"status", "conditions"});
      for (const Json& one : conditions.is_array() ? conditions : Json::array()) {
        const bool tells = base::string_at(one, "type") == "ReplicaFailure" &&
                           base::string_at(one, "status") == "True";
        if (tells) return base::printable(base::string_at(one, "message"));
      }
    }
    return {};
  }

  void call(Site& site) {
    const mesh::SamplePod* client_pod = ready_pod(site.seen.pods, mesh::kSampleClient);
    if (client_pod == nullptr || site.error) return;
    const Telling telling = tell(site, "calls", "calls to helloworld");
    const CallWish wish{.namespace_name = options_.namespace_name,
                        .pod = client_pod->name,
                        .expected = expected_from(site),
                        .has_no_retries = has_no_retries(site),
                        .at_most = std::min(kCalling, options_.at_most),
                        .on_seen = [&telling](std::string_view seen) { telling.waiting(seen); }};
    auto calls = call_samples(**world_.clusters.client(site.cluster.name), wish);
    if (!calls) {
      telling.failed(calls.error());
      site.error = std::move(calls).error();
      return;
    }
    site.seen.calls = *std::move(calls);
    const mesh::SampleCalls& seen = site.seen.calls;
    telling.done(seen.impossible.empty() ? fmt::format("{} made", base::count_of(seen.made, "call"))
                                         : "traffic not proved here: " + seen.impossible);
  }

  /// Whether what turns them off lies where the istiods of this cluster read it; in an ambient mesh
  /// nothing makes any.
  bool has_no_retries(const Site& site) const {
    if (mesh_.istio.data_plane == profiles::DataPlane::kAmbient) return true;
    const auto read = mesh::configured_by(mesh_, site.cluster);
    return std::all_of(read.begin(), read.end(), [this](const std::string& name) {
      return std::any_of(sites_.begin(), sites_.end(),
                         [&name](const Site& other) { return other.cluster.name == name; });
    });
  }

  std::set<std::string> expected_from(const Site& site) const {
    const auto reachable = mesh::reachable_from(mesh_, site.cluster);
    std::set<std::string> expected;
    for (const Site& other : sites_) {
      const auto found = std::find(reachable.begin(), reachable.end(), other.cluster.name);
      const mesh::SamplePod* pod = ready_pod(other.seen.pods, mesh::kSampleServer);
      if (found != reachable.end() && pod != nullptr) expected.insert(pod->name);
    }
    return expected;
  }

  void clean_up(Site& site) {
    if (!site.is_begun) return;
    const bool is_cancelled = world_.cancellation.is_cancelled();
    const Clusters& clusters = is_cancelled ? cleaning_ : world_.clusters;
    const Telling telling =
        tell(site, "clean-up", fmt::format("namespace {}", options_.namespace_name));
    Status gone = remove_from(clusters, site);
    // Ctrl-C while it was being taken away.
    if (!gone && gone.error().code == Code::kCancelled) gone = remove_from(cleaning_, site);
    if (gone) {
      telling.done("gone");
      return;
    }
    Error error = std::move(gone).error();
    telling.failed(error);
    site.left = Error{
        .code = Code::kPartial,
        .message = fmt::format("{}: namespace '{}' of the samples is left: {}", site.cluster.name,
                               options_.namespace_name, error.message),
        .hints = {fmt::format("the next 'meshtrust verify --samples' takes it away, or 'kubectl "
                              "--context {} delete namespace {}'",
                              site.cluster.context, options_.namespace_name)}};
  }

  Status remove_from(const Clusters& clusters, const Site& site) const {
    MESHTRUST_TRY(k8s::ApiClient* const client, clusters.client(site.cluster.name));
    return namespace_.remove(site.cluster.name, *client, options_.at_most);
  }

  const profiles::Mesh& mesh_;
  const World& world_;
  const Clusters& cleaning_;
  Events& events_;
  const SampleOptions& options_;
  const SampleNamespace namespace_;
  std::mutex events_mutex_;
  std::vector<Site> sites_;
};

}  // namespace

SampleRun try_samples(const profiles::Mesh& mesh,
                      const mesh::Observation& observation,
                      const World& world,
                      const Clusters& cleaning,
                      Events& events,
                      const SampleOptions& options) {
  return Samples(mesh, observation, world, cleaning, events, options).run();
}

}  // namespace meshtrust::run
