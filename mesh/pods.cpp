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

}  // namespace

std::optional<PodTrouble> trouble_of(const Json& pod) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : list_at(pod, {"status", list})) {
      if (auto trouble = trouble_of_container(pod, status)) return trouble;
    }
  }
  return std::nullopt;
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
  // A container that crashes may be running at the moment that it is looked at.
  exhausted_by_ = trouble.value_or(PodTrouble{.pod = name_of(pod),
                                              .container = base::string_at(status, "name"),
                                              .reason = "running again",
                                              .restarts = restarts});
}

}  // namespace meshtrust::mesh
