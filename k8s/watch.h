#pragma once

#include "base/json.h"
#include "base/result.h"
#include "k8s/api_client.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// One line of a watch stream.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark, kExpired, kError, kUnknown };
  Type type = Type::kUnknown;
  base::Json object;  ///< of kError and kExpired a Status
};

/// kUnavailable for what is no event. An ERROR whose Status says 410 is kExpired: the version to
/// start from is no longer kept. Types of the future are kUnknown, to be passed over.
base::Result<WatchEvent> parse_watch_event(std::string_view line);

/// The objects that are watched, by "namespace/name".
using Objects = std::map<std::string, base::Json>;

enum class Watching { kGoOn, kEnough };

struct WatchOptions {
  std::string label_selector = {};
  std::string field_selector = {};
  base::Seconds lasting{300};  ///< of one stream; up to a fifth is added by chance
  std::chrono::milliseconds stall{90'000};
  std::chrono::milliseconds first_wait{800};  ///< after a failure, doubled each time
  std::chrono::milliseconds longest_wait{30'000};
  std::optional<base::Clock::Steady> until = {};  ///< by the client's clock
};

/// How a watch ended without an error.
struct WatchEnd {
  bool enough = false;                      ///< `on_change` said so; else the time was over
  std::optional<base::Error> trouble = {};  ///< what kept the last attempt from working
};

/// Lists, then watches: `on_change` sees all objects once at first and after every change of them,
/// until it has had enough or the time is over. Streams that end are resumed from the last version;
/// one that is too old (HTTP 410, or an ERROR event with 410) is begun again with a list, of which
/// only differences are told, and not at once where that happens time and again. Broken connections
/// are waited out, with jitter. Errors: what no waiting mends (kPermission, kInvalidInput,
/// kCancelled, kRefused, kInternal). Not for Secrets.
base::Result<WatchEnd> watch(ApiClient& client,
                             const ObjectRef& ref,
                             const WatchOptions& options,
                             const std::function<Watching(const Objects&)>& on_change);

}  // namespace meshtrust::k8s
