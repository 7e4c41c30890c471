#pragma once

#include "base/result.h"
#include "k8s/api_client.h"
#include "k8s/watch.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// What a condition says about what it was shown.
struct Verdict {
  bool holds = false;
  std::string seen = {};  ///< in words, for whoever waits: "1 of 2 replicas are ready"
};

/// About one object, or all that were selected. Of a Secret it sees the metadata alone.
using Condition = std::function<Verdict(const Objects& objects)>;

struct WaitOptions {
  std::string label_selector = {};  ///< for a list
  std::chrono::milliseconds at_most{600'000};
  std::chrono::milliseconds poll{2'000};  ///< where watching is not permitted; jittered
  /// Hears what was seen, whenever that changes; from the calling thread.
  std::function<void(std::string_view seen)> on_seen = {};
  WatchOptions watch = {};  ///< its selectors and its end are set by the wait
};

/// Waits until `condition` holds for the object of `ref`, or for all of its kind in its namespace
/// when `ref` has no name. It watches; where that is not permitted, or not served, and for Secrets,
/// it looks again and again. kNotYet when the time is over, with what was seen last; kCancelled at
/// once on Ctrl-C; errors that no waiting mends (kPermission, kInvalidInput) as they come.
base::Status wait_for(ApiClient& client,
                      const ObjectRef& ref,
                      const Condition& condition,
                      const WaitOptions& options = {});

/// Deletes exactly the object of `only` and waits until it is gone. kNotYet names the finalizers
/// that hold it.
base::Status remove_and_wait(ApiClient& client,
                             const ObjectRef& ref,
                             const Preconditions& only,
                             const WaitOptions& options = {});

}  // namespace meshtrust::k8s
