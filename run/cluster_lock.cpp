#include "run/cluster_lock.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/objects.h"
#include "run/lease.h"
#include "run/pool.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Errors;
using base::Instant;
using base::Json;
using base::Result;
using base::Seconds;
using base::Status;

constexpr int kMostTries = 3;
constexpr std::size_t kMostAtOnce = 16;

/// `MicroTime` of Kubernetes.
std::string micro_time(Instant time) {
  std::string text = base::format_rfc3339(time);
  text.insert(text.size() - 1, ".000000");
  return text;
}

/// Asks `work` once a cluster, at the same time, and keeps what went wrong by its name.
template <class Work>
Errors errors_of(const std::vector<std::string>& clusters, const Work& work) {
  std::vector<std::optional<Error>> troubles(clusters.size());
  for_each_index(clusters.size(), kMostAtOnce, [&](std::size_t index) {
    Status status = work(index);
    if (!status) troubles[index] = with_context(std::move(status).error(), clusters[index]);
  });
  Errors errors;
  for (auto& trouble : troubles) {
    if (trouble) errors.push_back(*std::move(trouble));
  }
  return errors;
}

/// A kubeconfig may have been changed since the plan was made.
Status expect_server(const mesh::PlannedServer& planned, k8s::ApiClient& client) {
  MESHTRUST_TRY(const auto system, client.get(k8s::namespace_ref("kube-system")));
  const std::string uid = system ? mesh::uid_of(*system) : std::string();
  if (uid == planned.cluster_uid) return {};
  return base::fail(
      Code::kRefused,
      fmt::format("{} is not the cluster of the plan: its kube-system has the UID {}, "
                  "wanted {}",
                  client.settings().server.text(), base::printable(uid, 64), planned.cluster_uid),
      "run the same command again to see the new plan");
}

}  // namespace

ClusterLocks::ClusterLocks(const Clusters& clusters,
                           const base::Clock& clock,
                           const base::ProcessTable& processes,
                           const std::string& lease,
                           LockHolder holder,
                           LockOptions options)
    : clusters_(clusters),
      clock_(clock),
      processes_(processes),
      lease_(lease_ref(lease)),
      holder_(std::move(holder)),
      options_(std::move(options)),
      since_(clock.now()) {}

Result<std::unique_ptr<ClusterLocks>, Errors> ClusterLocks::take(
    const mesh::Plan& plan,
    const Clusters& clusters,
    const base::Clock& clock,
    const base::ProcessTable& processes,
    LockHolder holder,
    LockOptions options) {
  std::unique_ptr<ClusterLocks> locks(new ClusterLocks(clusters, clock, processes, plan.lease,
                                                       std::move(holder), std::move(options)));
  std::vector<std::string> names;
  names.reserve(plan.servers.size());
  for (const mesh::PlannedServer& server : plan.servers) {
    names.push_back(server.cluster);
  }
  Errors errors = errors_of(names, [&](std::size_t index) -> Status {
    MESHTRUST_TRY(Held held, locks->take_one(plan.servers[index]));
    const std::lock_guard guard(locks->mutex_);
    locks->held_.push_back(std::move(held));
    return {};
  });
  if (!errors.empty()) return base::fail(std::move(errors));
  if (locks->options_.renew_every.count() > 0) {
    locks->renewing_ = std::jthread(
        [raw = locks.get()](const std::stop_token& stop) { raw->renew_for_ever(stop); });
  }
  return locks;
}

Errors ClusterLocks::sweep(const std::vector<std::string>& names,
                           const std::string& lease,
                           const Clusters& clusters,
                           const base::Clock& clock,
                           const base::ProcessTable& processes,
                           LockHolder holder) {
  const ClusterLocks judge(clusters, clock, processes, lease, std::move(holder), {});
  return errors_of(names, [&](std::size_t index) { return judge.sweep_one(names[index]); });
}

ClusterLocks::~ClusterLocks() {
  (void)release();
}

Status ClusterLocks::sweep_one(const std::string& cluster) const {
  MESHTRUST_TRY(k8s::ApiClient* const client, clusters_.client(cluster));
  MESHTRUST_TRY(const auto live, client->get(lease_));
  if (!live) return {};
  const Json& metadata = base::at_path(*live, {"metadata"});
  if (base::string_at(base::at_path(metadata, {"labels"}), istio::kMeshLabel) != holder_.mesh) {
    return {};
  }
  MESHTRUST_TRY(const Instant now, time_at(*client, clock_));
  std::optional<std::string> nobody;
  if (!expect_free(*live, now, nobody)) return {};
  const auto removed =
      client->remove(lease_, {.uid = mesh::uid_of(*live),
                              .resource_version = base::string_at(metadata, "resourceVersion")});
  // In the meantime somebody took it, or it went.
  const bool is_over =
      removed || removed.error().code == Code::kConflict || removed.error().code == Code::kNotFound;
  return is_over ? Status() : base::fail(removed.error());
}

Json ClusterLocks::wanted() const {
  return {{"metadata",
           {{"labels",
             {{istio::kManagedByLabel, istio::kFieldManager}, {istio::kMeshLabel, holder_.mesh}}},
            {"annotations", {{istio::kProcessAnnotation, holder_.process.text()}}}}},
          {"spec",
           {{"holderIdentity", holder_.identity},
            {"leaseDurationSeconds", options_.duration.count()},
            {"acquireTime", micro_time(since_)},
            {"renewTime", micro_time(clock_.now())}}}};
}

bool ClusterLocks::is_ours(const Json& lease) const {
  const std::string holder = base::string_at(base::at_path(lease, {"spec"}), "holderIdentity");
  return holder == holder_.identity && process_of(lease) == holder_.process;
}

Result<ClusterLocks::Held> ClusterLocks::take_one(const mesh::PlannedServer& server) {
  const std::string& cluster = server.cluster;
  MESHTRUST_TRY(k8s::ApiClient* const client, clusters_.client(cluster));
  MESHTRUST_TRY_DO(expect_server(server, *client));
  for (int round = 1;; ++round) {
    // As the server will count it, whose time begins later.
    const base::Clock::Steady renewed = clock_.steady();
    const Instant renewed_at = clock_.now();
    auto made = client->create(lease_, wanted());
    // One that is there already may be free to take, and may be gone when it is looked at.
    if (!made && made.error().code == Code::kConflict) made = take_over(cluster, *client);
    if (made) {
      return Held{.cluster = cluster,
                  .uid = made->uid,
                  .resource_version = made->resource_version,
                  .renewed = renewed,
                  .renewed_at = renewed_at,
                  .trouble = {}};
    }
    const Code why = made.error().code;
    if (why != Code::kNotFound && why != Code::kConflict) {
      return base::fail(std::move(made).error());
    }
    if (round == kMostTries) {
      return base::fail(
          Error{.code = Code::kLocked,
                .message = lease_.describe() + " is being taken by others",
                .hints = {"let the other runs end, then run the same command again"}});
    }
  }
}

Result<k8s::Applied> ClusterLocks::take_over(const std::string& cluster, k8s::ApiClient& client) {
  MESHTRUST_TRY(const Instant now, time_at(client, clock_));
  std::optional<std::string> broken;
  std::optional<Error> refused;
  auto taken = client.change(lease_, [&](Json& lease) -> Status {
    broken.reset();
    if (auto status = expect_free(lease, now, broken); !status) {
      refused = status.error();
      return status;
    }
    // Whatever the last holder put there goes, but for what the server keeps.
    const Json ours = wanted();
    lease["metadata"]["labels"] = ours["metadata"]["labels"];
    lease["metadata"]["annotations"] = ours["metadata"]["annotations"];
    lease["spec"] = ours["spec"];
    return {};
  });
  if (refused) return base::fail(*std::move(refused));
  if (taken && broken) {
    const std::lock_guard guard(mutex_);
    broken_.push_back({.cluster = cluster, .holder = *std::move(broken)});
  }
  return taken;
}

Status ClusterLocks::expect_free(const Json& lease,
                                 Instant now,
                                 std::optional<std::string>& broken) const {
  if (is_ours(lease) || is_over(lease, now, processes_)) return {};
  const LeaseHolder holder = holder_of(lease);
  const std::string description = fmt::format("{} since {}", holder.who, holder.since);
  if (!options_.break_reason.empty()) {
    broken = description;
    return {};
  }
  return base::fail(
      Error{.code = Code::kLocked,
            .message = fmt::format("{} is held by {}", lease_.describe(), description),
            .hints = {fmt::format("let that run end; if it is dead, its Lease ends by itself in {}",
                                  base::format_duration(end_of(lease) - now)),
                      "to take it over before, say --break-lock and why"}});
}

void ClusterLocks::renew_one(Held& held) const {
  const auto client = clusters_.client(held.cluster);
  MESHTRUST_CHECK(client.operator bool());
  const base::Clock::Steady begun = clock_.steady();
  const Instant begun_at = clock_.now();
  std::optional<Error> taken;
  const auto renewed = (*client)->change(lease_, [&](Json& lease) -> Status {
    if (!is_ours(lease)) {
      taken = Error{.code = Code::kLocked,
                    .message = fmt::format("{} was taken over by {}", lease_.describe(),
                                           holder_of(lease).who)};
      return base::fail(*taken);
    }
    lease["spec"]["renewTime"] = micro_time(clock_.now());
    return {};
  });
  if (renewed) {
    held.uid = renewed->uid;
    held.resource_version = renewed->resource_version;
    held.renewed = begun;
    held.renewed_at = begun_at;
    held.trouble.reset();
    return;
  }
  const bool is_gone = renewed.error().code == Code::kNotFound;
  if (is_gone) {
    taken = Error{.code = Code::kLocked,
                  .message = fmt::format("{} was deleted by somebody", lease_.describe())};
  }
  held.is_lost = taken.has_value();
  held.trouble = taken ? *std::move(taken) : renewed.error();
}

void ClusterLocks::renew_where(const std::function<bool(const Held& held)>& is_meant) {
  std::vector<Held> copies;
  {
    const std::lock_guard guard(mutex_);
    std::copy_if(held_.begin(), held_.end(), std::back_inserter(copies),
                 [&is_meant](const Held& held) { return !held.is_lost && is_meant(held); });
  }
  for_each_index(copies.size(), kMostAtOnce, [&](std::size_t index) {
    Held& renewed = copies[index];
    renew_one(renewed);
    const std::lock_guard guard(mutex_);
    for (Held& held : held_) {
      // One that was asked about meanwhile may know of a later renewal.
      const bool is_news = renewed.is_lost || renewed.renewed >= held.renewed;
      if (held.cluster == renewed.cluster && is_news) held = renewed;
    }
  });
}

void ClusterLocks::renew() {
  renew_where([](const Held&) { return true; });
}

void ClusterLocks::renew_for_ever(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    stopping_.wait_for(lock, stop, options_.renew_every, [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    renew();
    lock.lock();
  }
}

bool ClusterLocks::is_late(const Held& held) const {
  // A machine that slept counts in the one clock alone.
  const Seconds enough = options_.duration * 2 / 3;
  return clock_.steady() - held.renewed >= enough || clock_.now() - held.renewed_at >= enough;
}

std::optional<Error> ClusterLocks::lost(const std::string& cluster) {
  const auto why_late = [&]() -> std::optional<Error> {
    const std::lock_guard guard(mutex_);
    const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
      return held.cluster == cluster && (held.is_lost || is_late(held));
    });
    if (found == held_.end()) return std::nullopt;
    Error why = found->trouble.value_or(
        Error{.code = Code::kLocked, .message = lease_.describe() + " was not renewed in time"});
    why.code = Code::kLocked;
    why.hints.emplace_back("nothing more was begun there: run the same command again to go on");
    return with_context(std::move(why), found->cluster + ": the lock is lost");
  };
  if (!why_late()) return std::nullopt;
  renew_where([&cluster](const Held& held) { return held.cluster == cluster; });  // it may be ours
  return why_late();
}

Status ClusterLocks::release_one(const Held& held) const {
  const auto client = clusters_.client(held.cluster);
  MESHTRUST_CHECK(client.operator bool());
  std::string version = held.resource_version;
  for (int round = 1;; ++round) {
    const auto removed = (*client)->remove(lease_, {.uid = held.uid, .resource_version = version});
    if (removed) return {};
    if (removed.error().code != Code::kConflict || round == kMostTries) {
      return base::fail(removed.error());
    }
    // A renewal whose answer was lost is ours as well; what is another's is left alone.
    MESHTRUST_TRY(const auto live, (*client)->get(lease_));
    if (!live || !is_ours(*live)) return {};
    version = base::string_at(base::at_path(*live, {"metadata"}), "resourceVersion");
  }
}

Errors ClusterLocks::release() {
  if (renewing_.joinable()) {
    renewing_.request_stop();
    renewing_.join();
  }
  std::vector<Held> held;
  {
    const std::lock_guard guard(mutex_);
    held.swap(held_);
  }
  std::vector<std::string> names;
  names.reserve(held.size());
  for (const Held& one : held) {
    names.push_back(one.cluster);
  }
  return errors_of(names, [&](std::size_t index) { return release_one(held[index]); });
}

}  // namespace meshtrust::run
