#pragma once

#include "k8s/api_client.h"
#include "mesh/samples.h"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace meshtrust::run {

/// Calls from the client pod of one cluster.
struct CallWish {
  std::string namespace_name = {};
  std::string pod = {};
  std::set<std::string> expected = {};  ///< pods that should answer; calls end once all have
  /// Whether a call that fails is not repeated by proxies, so that it can be counted as lost.
  bool has_no_retries = true;
  std::chrono::milliseconds at_most{180'000};
  /// Hears how far it is: "2 of 3 pods have answered".
  std::function<void(std::string_view seen)> on_seen = {};
};

/// Calls `helloworld` by its name until every expected pod has answered, round after round, so many
/// calls in each that an even choice among the pods passes none of them over; and gives up after
/// `at_most`. What comes first may fail: certificates and endpoints take a while to arrive. So
/// losses are counted after that: in one more round, and in two more where there are any.
/// kCancelled is the only error; that nothing can be called is a fact (`impossible`).
base::Result<mesh::SampleCalls> call_samples(k8s::ApiClient& client, const CallWish& wish);

}  // namespace meshtrust::run
