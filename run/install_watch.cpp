#include "run/install_watch.h"

#include "base/text.h"
#include "istio/names.h"
#include "mesh/objects.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <future>
#include <map>
#include <utility>
#include <vector>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

/// Lines of a log that are asked for, and those of them that are shown: a stack trace has its cause
/// at the end, or before it.
constexpr int kLogLines = 20;
constexpr std::size_t kQuotedLines = 3;

constexpr std::string_view kTemplateHash = "pod-template-hash";
constexpr std::string_view kDeploymentRevision = "deployment.kubernetes.io/revision";

std::string label_of(const Json& object, std::string_view name) {
  return base::string_at(base::at_path(object, {"metadata", "labels"}), name);
}

/// The revision that a Deployment gave a ReplicaSet; 0 for none.
int revision_of(const Json& replica_set) {
  const std::string text =
      base::string_at(base::at_path(replica_set, {"metadata", "annotations"}), kDeploymentRevision);
  int revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

/// By which the newest ReplicaSet of each Deployment knows its pods.
std::set<std::string> newest_hashes(const std::vector<Json>& replica_sets) {
  std::map<std::string, std::pair<int, std::string>> newest;  // by UID of the owner
  for (const Json& one : replica_sets) {
    for (const Json& owner : mesh::list_at(one, {"metadata", "ownerReferences"})) {
      auto& best = newest[base::string_at(owner, "uid")];
      best = std::max(best, std::pair(revision_of(one), label_of(one, kTemplateHash)));
    }
  }
  std::set<std::string> hashes;
  for (const auto& [owner, best] : newest) {
    hashes.insert(best.second);
  }
  return hashes;
}

k8s::ObjectRef replica_sets_in(const std::string& space) {
  return {.api_version = "apps/v1",
          .kind = "ReplicaSet",
          .resource = "replicasets",
          .namespace_name = space};
}

std::vector<std::string> last_lines(std::string_view log) {
  std::vector<std::string> lines;
  for (const std::string& line : base::split(log, '\n')) {
    if (!base::trim(line).empty()) lines.push_back(base::printable(base::trim(line), 300));
  }
  if (lines.size() > kQuotedLines) lines.erase(lines.begin(), lines.end() - kQuotedLines);
  return lines;
}

}  // namespace

Status InstallWatch::beside(
    const std::function<Status(const base::Cancellation& stop)>& installer) {
  note_old_pods();
  base::Cancellation stop;
  auto running = std::async(std::launch::async, [&] { return installer(stop); });
  while (running.wait_for(options_.interval) != std::future_status::ready) {
    look();
    if (patience_.exhausted_by()) {
      stop.cancel();
      break;
    }
  }
  Status status = running.get();
  // It may have come to an end of its own between the last look and now.
  if (status || !stop.is_cancelled() || client_.effects().cancellation.is_cancelled()) {
    return status;
  }
  return base::fail(explain(*patience_.exhausted_by()));
}

void InstallWatch::note_old_pods() {
  begun_ = client_.effects().clock.steady();
  const auto pods = client_.list(k8s::pods_ref(installation_.namespace_name));
  if (!pods) return;
  for (const Json& pod : pods->items) {
    old_pods_.insert(mesh::uid_of(pod));
  }
}

void InstallWatch::look() {
  const auto pods = client_.list(k8s::pods_ref(installation_.namespace_name));
  const auto sets = client_.list(replica_sets_in(installation_.namespace_name));
  if (!pods || !sets) return;
  const std::set<std::string> hashes = newest_hashes(sets->items);
  std::vector<std::string> unready;
  for (const Json& pod : pods->items) {
    if (!is_of_installation(pod) || mesh::is_ready(pod)) continue;
    if (base::at_path(pod, {"metadata"}).contains("deletionTimestamp")) continue;
    if (counts(pod, hashes)) patience_.see(pod);
    unready.push_back(fmt::format("{} ({})", mesh::name_of(pod), mesh::why_not_ready(pod)));
  }
  if (!unready.empty()) tell_("not ready: " + base::join(unready, ", "));
}

bool InstallWatch::is_of_installation(const Json& pod) const {
  return label_of(pod, "app") == "istiod" &&
         label_of(pod, istio::kRevisionLabel) ==
             istio::revision_label_value(installation_.revision);
}

bool InstallWatch::counts(const Json& pod, const std::set<std::string>& wanted_hashes) const {
  if (!wanted_hashes.contains(label_of(pod, kTemplateHash))) return false;
  if (!old_pods_.contains(mesh::uid_of(pod))) return true;
  const auto trouble = mesh::trouble_of(pod);
  const bool is_stuck = trouble && (!trouble->image.empty() || trouble->reason == mesh::kCrashLoop);
  return is_stuck && client_.effects().clock.steady() - begun_ >= options_.patience_with_old;
}

std::string InstallWatch::last_words(const mesh::PodTrouble& trouble) {
  const k8s::PodLog log{.namespace_name = installation_.namespace_name,
                        .pod = trouble.pod,
                        .container = trouble.container,
                        .lines = kLogLines};
  auto text = client_.read_log(log);
  // A new run has said little yet, and the one before it may have been forgotten.
  if (!text || base::trim(*text).empty()) {
    k8s::PodLog before = log;
    before.of_last_run = true;
    text = client_.read_log(before);
  }
  return text ? base::join(last_lines(*text), " / ") : std::string();
}

Error InstallWatch::explain(const mesh::PodTrouble& trouble) {
  const std::string logs = fmt::format("kubectl --context {} --namespace {} logs {} --container {}",
                                       client_.settings().context, installation_.namespace_name,
                                       trouble.pod, trouble.container);
  if (!trouble.image.empty()) {
    return {
        .code = Code::kInternal,
        .message =
            fmt::format("pod {}/{} does not get image '{}': {}", installation_.namespace_name,
                        trouble.pod, trouble.image, trouble.reason),
        .hints = {"spec.istio.values.global.hub and global.tag in the mesh file say where images "
                  "come from; 'meshtrust apply' goes on once they can be had"}};
  }
  const std::string words = last_words(trouble);
  return {
      .code = Code::kInternal,
      .message = fmt::format("pod {}/{} crashes again and again (restarted {}){}",
                             installation_.namespace_name, trouble.pod,
                             base::count_of(static_cast<std::size_t>(trouble.restarts), "time"),
                             words.empty() ? "" : "; its last words: " + words),
      .hints = {fmt::format("'{}' shows all of its log; 'meshtrust apply' goes on once its cause "
                            "is mended",
                            logs)}};
}

}  // namespace meshtrust::run
