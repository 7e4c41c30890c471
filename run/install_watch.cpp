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
constexpr std::size_t kMostOfALine = 300;
/// Of a line that is told while the wait goes on, beside what else is told.
constexpr std::size_t kMostLiveWords = 120;
constexpr int kMostLogsAtATime = 2;

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

k8s::ObjectRef configurations_of(const mesh::WebhookKind& kind) {
  return {.api_version = "admissionregistration.k8s.io/v1",
          .kind = std::string(kind.kind),
          .resource = std::string(kind.word) + "s",
          .namespace_name = {}};
}

std::vector<std::string> lines_in(std::string_view log) {
  std::vector<std::string> lines;
  for (const std::string& line : base::split(log, '\n')) {
    if (!base::trim(line).empty()) lines.push_back(base::printable(base::trim(line), kMostOfALine));
  }
  return lines;
}

}  // namespace

Status InstallWatch::beside(
    const std::function<Status(const base::Cancellation& stop)>& installer) {
  note_what_was_there();
  base::Cancellation stop;
  auto running = std::async(std::launch::async, [&] { return installer(stop); });
  while (running.wait_for(options_.interval) != std::future_status::ready) {
    look();
    if (is_hopeless()) {
      stop.cancel();
      break;
    }
  }
  Status status = running.get();
  // It may have come to an end of its own between the last look and now.
  if (status || !stop.is_cancelled() || client_.effects().cancellation.is_cancelled()) {
    return status;
  }
  return base::fail(explain());
}

void InstallWatch::note_what_was_there() {
  begun_ = client_.effects().clock.steady();
  const auto pods = client_.list(k8s::pods_ref(installation_.namespace_name));
  for (const Json& pod : pods ? pods->items : Objects()) {
    old_pods_.insert(mesh::uid_of(pod));
  }
  const auto sets = client_.list(replica_sets_in(installation_.namespace_name));
  if (!sets) return;
  const Objects events = failed_attempts(sets->items);
  for (const Json& one : sets->items) {
    if (const auto refusal = mesh::refusal_of(one, events)) {
      old_refusals_[mesh::uid_of(one)] = refusal->attempt;
    }
  }
}

void InstallWatch::look() {
  const auto pods = client_.list(k8s::pods_ref(installation_.namespace_name));
  const auto sets = client_.list(replica_sets_in(installation_.namespace_name));
  if (!pods || !sets) return;
  const std::set<std::string> hashes = newest_hashes(sets->items);
  std::vector<std::string> said;
  for (const std::string& one :
       {see_refusals(sets->items, hashes), see_pods(pods->items, hashes)}) {
    if (!one.empty()) said.push_back(one);
  }
  if (!said.empty()) tell_what_changed(base::join(said, "; "));
}

void InstallWatch::tell_what_changed(std::string what) {
  if (what == told_) return;
  told_ = std::move(what);
  tell_(told_);
}

std::string InstallWatch::see_pods(const Objects& pods,
                                   const std::set<std::string>& wanted_hashes) {
  std::vector<std::string> unready;
  int logs_left = kMostLogsAtATime;
  for (const Json& pod : pods) {
    if (!is_of_installation(pod) || mesh::is_ready(pod)) continue;
    if (base::at_path(pod, {"metadata"}).contains("deletionTimestamp")) continue;
    if (counts(pod, wanted_hashes)) patience_.see(pod);
    unready.push_back(fmt::format("{} ({})", mesh::name_of(pod), why_not_ready(pod, logs_left)));
  }
  return unready.empty() ? std::string() : "not ready: " + base::join(unready, ", ");
}

std::string InstallWatch::why_not_ready(const Json& pod, int& logs_left) {
  const auto trouble = mesh::restarted_in(pod);
  if (!trouble) return mesh::why_not_ready(pod);
  Said& said = said_[mesh::uid_of(pod) + "/" + trouble->container];
  if (said.restarts != trouble->restarts && logs_left > 0) {
    --logs_left;
    const auto lines = last_lines(*trouble, 1);
    said = {
        .restarts = trouble->restarts,
        .words = lines.empty() ? std::string() : base::printable(lines.front(), kMostLiveWords)};
  }
  const std::string words = said.words.empty() ? "" : "; last words: " + said.words;
  return mesh::describe(*trouble) + words;
}

std::string InstallWatch::see_refusals(const Objects& replica_sets,
                                       const std::set<std::string>& wanted_hashes) {
  std::string told;
  const Objects events = failed_attempts(replica_sets);
  for (const Json& one : replica_sets) {
    if (!is_of_installation(one) || !wanted_hashes.contains(label_of(one, kTemplateHash))) continue;
    const auto refusal = mesh::refusal_of(one, events);
    if (!refusal) {
      refused_since_.erase(mesh::uid_of(one));
      continue;
    }
    see_refusal(one, *refusal);
    if (!told.empty()) continue;
    const std::string webhook = webhook_in(refusal->why);
    told = mesh::describe(*refusal) + (webhook.empty() ? "" : "; ") + webhook;
  }
  return told;
}

void InstallWatch::see_refusal(const Json& replica_set, const mesh::PodRefusal& refusal) {
  const std::string uid = mesh::uid_of(replica_set);
  const auto old = old_refusals_.find(uid);
  if (!refusal.is_total || (old != old_refusals_.end() && old->second == refusal.attempt)) return;
  const auto now = client_.effects().clock.steady();
  const auto since = refused_since_.try_emplace(uid, now).first->second;
  if (now - since >= options_.patience_with_refusals) refused_ = refusal;
}

InstallWatch::Objects InstallWatch::failed_attempts(const Objects& replica_sets) {
  const bool is_any_refused =
      std::any_of(replica_sets.begin(), replica_sets.end(),
                  [](const Json& one) { return mesh::refusal_of(one).has_value(); });
  if (!is_any_refused) return {};
  auto events =
      client_.list({.api_version = "v1",
                    .kind = "Event",
                    .resource = "events",
                    .namespace_name = installation_.namespace_name},
                   {.field_selector = "involvedObject.kind=ReplicaSet,reason=FailedCreate"});
  return events ? std::move(events->items) : Objects();
}

std::string InstallWatch::webhook_in(const std::string& answer) {
  const auto [known, is_new] = webhooks_.try_emplace(answer);
  if (is_new) known->second = find_webhook(answer);
  return known->second;
}

std::string InstallWatch::find_webhook(const std::string& answer) {
  for (const mesh::WebhookKind& kind : mesh::kWebhookKinds) {
    const auto configurations = client_.list(configurations_of(kind));
    if (!configurations) continue;
    if (const auto named = mesh::webhook_named_in(answer, kind, configurations->items)) {
      return describe(*named);
    }
  }
  return {};
}

std::string InstallWatch::describe(const mesh::NamedWebhook& webhook) {
  const mesh::WebhookTarget& target = webhook.target;
  const std::string which =
      fmt::format("it is of {} '{}'", webhook.kind->word, base::printable(webhook.configuration));
  if (target.service.empty()) {
    return fmt::format("{}, which calls {}", which, base::printable(target.server));
  }
  const auto there = client_.get_metadata({.api_version = "v1",
                                           .kind = "Service",
                                           .resource = "services",
                                           .namespace_name = target.namespace_name,
                                           .name = target.service});
  const bool is_gone = there && !*there;
  return base::printable(fmt::format("{}, which calls service '{}/{}'{}", which,
                                     target.namespace_name, target.service,
                                     is_gone ? ", which does not exist" : ""));
}

bool InstallWatch::is_of_installation(const Json& object) const {
  return label_of(object, "app") == "istiod" &&
         label_of(object, istio::kRevisionLabel) ==
             istio::revision_label_value(installation_.revision);
}

bool InstallWatch::counts(const Json& pod, const std::set<std::string>& wanted_hashes) const {
  if (!wanted_hashes.contains(label_of(pod, kTemplateHash))) return false;
  if (!old_pods_.contains(mesh::uid_of(pod))) return true;
  const auto trouble = mesh::trouble_of(pod);
  const bool is_stuck = trouble && (!trouble->image.empty() || trouble->reason == mesh::kCrashLoop);
  return is_stuck && client_.effects().clock.steady() - begun_ >= options_.patience_with_old;
}

std::vector<std::string> InstallWatch::last_lines(const mesh::PodTrouble& trouble,
                                                  std::size_t most) {
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
  std::vector<std::string> lines = text ? lines_in(*text) : std::vector<std::string>();
  if (lines.size() > most) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most));
  }
  return lines;
}

Error InstallWatch::explain() {
  if (const auto& trouble = patience_.exhausted_by()) return explain(*trouble);
  return explain(*refused_);
}

Error InstallWatch::explain(const mesh::PodRefusal& refusal) {
  Error error{.code = Code::kInternal,
              .message = fmt::format("in namespace {} {}", installation_.namespace_name,
                                     mesh::describe(refusal))};
  if (const std::string webhook = webhook_in(refusal.why); !webhook.empty()) {
    error.hints.push_back("of the webhook: " + webhook);
  }
  error.hints.push_back(
      fmt::format("once its cause is mended, 'kubectl --context {} --namespace {} rollout restart "
                  "deployment/{}' has Kubernetes try again at once, and 'meshtrust apply' goes on",
                  client_.settings().context, installation_.namespace_name,
                  istio::istiod_name(installation_.revision)));
  return error;
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
  const std::string words = base::join(last_lines(trouble, kQuotedLines), " / ");
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
