#include "mesh/pods.h"

#include "base/text.h"
#include "mesh/objects.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;

constexpr int kMostRests = 2;
constexpr std::int64_t kMostRestarts = 3;

std::int64_t restarts_of(const Json& status) {
  const Json& count = base::at_path(status, {"restartCount"});
  return count.is_number_integer() ? count.get<std::int64_t>() : 0;
}

std::optional<PodTrouble> trouble_of_container(const Json& pod, const Json& status) {
  for (const char* state : {"waiting", "terminated"}) {
    const std::string reason = base::string_at(base::at_path(status, {"state", state}), "reason");
    if (reason.empty() || reason == "PodInitializing" || reason == "Completed") continue;
    PodTrouble trouble{.pod = name_of(pod),
                       .container = base::string_at(status, "name"),
                       .reason = base::printable(reason, 80),
                       .is_resting = reason == "ImagePullBackOff",
                       .is_final = reason == "InvalidImageName" || reason == "ErrImageNeverPull",
                       .restarts = restarts_of(status)};
    if (trouble.is_resting || trouble.is_final || reason == "ErrImagePull") {
      trouble.image = base::printable(base::string_at(status, "image"), 255);
    }
    return trouble;
  }
  return std::nullopt;
}

/// A container that crashes may be running at the moment that it is looked at.
PodTrouble trouble_with_restarts(const Json& pod, const Json& status) {
  return trouble_of_container(pod, status)
      .value_or(PodTrouble{.pod = name_of(pod),
                           .container = base::string_at(status, "name"),
                           .reason = "running again",
                           .restarts = restarts_of(status)});
}

std::int64_t number_at(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json& value = base::at_path(object, {key});
  return value.is_number_integer() ? value.get<std::int64_t>() : fallback;
}

constexpr std::string_view kFailedCreate = "FailedCreate";

/// Of an event: RFC 3339 in UTC, so that texts order as times do.
std::string seen_last(const Json& event) {
  return std::max({base::string_at(event, "lastTimestamp"), base::string_at(event, "eventTime"),
                   base::string_at(base::at_path(event, {"series"}), "lastObservedTime")});
}

/// What the API server said, without what a recorder of events puts in front.
std::string words_of(const Json& event) {
  std::string words = base::string_at(event, "message");
  for (const std::string_view front : {"(combined from similar events): ", "Error creating: "}) {
    if (words.starts_with(front)) words.erase(0, front.size());
  }
  return words;
}

/// Pods of a ReplicaSet are called after it, with some letters and digits that are made up.
std::string without_made_up_names(std::string text, const std::string& replica_set) {
  const std::string front = "\"" + replica_set + "-";
  for (auto at = text.find(front); at != std::string::npos; at = text.find(front, at)) {
    at += front.size();
    const auto end = text.find('"', at);
    if (end == std::string::npos) break;
    text.replace(at, end - at, "*");
  }
  return text;
}

}  // namespace

const Json* named_in(const Json& list, std::string_view name) {
  if (!list.is_array()) return nullptr;
  const auto found = std::find_if(list.begin(), list.end(), [name](const Json& one) {
    return base::string_at(one, "name") == name;
  });
  return found == list.end() ? nullptr : &*found;
}

const Json* proxy_container(const Json& pod) {
  const Json& spec = base::at_path(pod, {"spec"});
  if (const Json* one = named_in(base::at_path(spec, {"containers"}), kProxyContainer)) return one;
  const Json* one = named_in(base::at_path(spec, {"initContainers"}), kProxyContainer);
  return one != nullptr && base::string_at(*one, "restartPolicy") == "Always" ? one : nullptr;
}

std::string variable_of(const Json& container, std::string_view name) {
  const Json* one = named_in(base::at_path(container, {"env"}), name);
  return one == nullptr ? std::string() : base::string_at(*one, "value");
}

std::optional<PodTrouble> trouble_of(const Json& pod) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : list_at(pod, {"status", list})) {
      if (auto trouble = trouble_of_container(pod, status)) return trouble;
    }
  }
  return std::nullopt;
}

std::optional<PodTrouble> restarted_in(const Json& pod) {
  if (is_ready(pod)) return std::nullopt;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : list_at(pod, {"status", list})) {
      if (restarts_of(status) > 0) return trouble_with_restarts(pod, status);
    }
  }
  return std::nullopt;
}

std::optional<PodRefusal> refusal_of(const Json& replica_set) {
  return refusal_of(replica_set, {});
}

std::optional<PodRefusal> refusal_of(const Json& replica_set, const std::vector<Json>& events) {
  const Json& status = base::at_path(replica_set, {"status"});
  if (number_at(base::at_path(replica_set, {"spec"}), "replicas", 1) == 0) return std::nullopt;
  const Json& conditions = list_at(status, {"conditions"});
  const auto failure = std::find_if(conditions.begin(), conditions.end(), [](const Json& one) {
    return base::string_at(one, "type") == "ReplicaFailure" &&
           base::string_at(one, "status") == "True" &&
           base::string_at(one, "reason") == kFailedCreate;
  });
  if (failure == conditions.end()) return std::nullopt;
  PodRefusal refusal{.replica_set = name_of(replica_set),
                     .why = base::string_at(*failure, "message"),
                     .is_total = number_at(status, "replicas", 0) == 0};
  const Json* newest = nullptr;
  for (const Json& event : events) {
    const bool is_about_it =
        base::string_at(event, "reason") == kFailedCreate &&
        base::string_at(base::at_path(event, {"involvedObject"}), "uid") == uid_of(replica_set);
    if (is_about_it && (newest == nullptr || seen_last(event) >= seen_last(*newest))) {
      newest = &event;
    }
  }
  if (newest != nullptr) {
    refusal.attempt = fmt::format("{} {} {}", name_of(*newest), seen_last(*newest),
                                  number_at(*newest, "count", 1));
    refusal.why = words_of(*newest);
  }
  refusal.why = base::printable(without_made_up_names(refusal.why, refusal.replica_set));
  return refusal;
}

std::string describe(const PodRefusal& refusal) {
  return fmt::format("{} of {} is created{}: {}", refusal.is_total ? "no pod" : "not every pod",
                     refusal.replica_set, refusal.attempt.empty() ? ", as it began" : "",
                     refusal.why);
}

std::string describe(const PodTrouble& trouble) {
  std::string text = trouble.container + ": " + trouble.reason;
  if (!trouble.image.empty()) text += fmt::format(" for image '{}'", trouble.image);
  if (trouble.restarts > 0) {
    text += fmt::format(", restarted {}",
                        base::count_of(static_cast<std::size_t>(trouble.restarts), "time"));
  }
  return text;
}

bool is_ready(const Json& pod) {
  const Json& conditions = list_at(pod, {"status", "conditions"});
  return std::any_of(conditions.begin(), conditions.end(), [](const Json& one) {
    return base::string_at(one, "type") == "Ready" && base::string_at(one, "status") == "True";
  });
}

std::string why_not_ready(const Json& pod) {
  if (const auto trouble = trouble_of(pod)) return describe(*trouble);
  for (const Json& one : list_at(pod, {"status", "conditions"})) {
    const std::string message = base::string_at(one, "message");
    if (base::string_at(one, "status") == "False" && !message.empty()) {
      return base::printable(message, 200);
    }
  }
  return base::string_at(base::at_path(pod, {"status"}), "phase", "Pending");
}

void PodPatience::see(const Json& pod) {
  if (is_ready(pod)) return;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : list_at(pod, {"status", list})) {
      see_container(pod, status);
    }
  }
}

void PodPatience::see_container(const Json& pod, const Json& status) {
  const std::string key = uid_of(pod) + "/" + base::string_at(status, "name");
  const auto trouble = trouble_of_container(pod, status);
  const bool is_resting = trouble && trouble->is_resting;
  const std::int64_t restarts = restarts_of(status);
  Container& container = containers_[key];
  if (is_resting && !container.was_resting) ++container.rests;
  container.was_resting = is_resting;
  if (exhausted_by_) return;
  const bool is_crashing = restarts >= kMostRestarts;
  const bool lacks_image = trouble && (trouble->is_final || container.rests >= kMostRests);
  if (!is_crashing && !lacks_image) return;
  exhausted_by_ = trouble_with_restarts(pod, status);
}

}  // namespace meshtrust::mesh
