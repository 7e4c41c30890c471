#include "mesh/take_up.h"

#include "base/text.h"
#include "mesh/condition/asking.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

std::string times(std::uint64_t count) {
  return base::count_of(static_cast<std::size_t>(count), "time");
}

}  // namespace

Verdict TakeUp::judge(const std::vector<Refusals>& istiods, std::chrono::milliseconds now) {
  if (istiods.empty()) return no("no istiod is running");
  std::map<std::string, Count> counts;
  std::vector<std::string> refused;
  std::uint64_t most = 0;
  for (const Refusals& one : istiods) {
    const auto before = seen_.find(one.pod);
    const bool stands = before != seen_.end() && before->second.refusals == one.count;
    const Count count{.refusals = one.count, .since = stands ? before->second.since : now};
    if (one.count > 0 && now - count.since < kAsksAgainWithin) {
      refused.push_back(fmt::format("{} {}", one.pod, times(one.count)));
    }
    most = std::max(most, one.count);
    counts.emplace(one.pod, count);
  }
  seen_ = std::move(counts);
  if (!refused.empty()) {
    return no(fmt::format("{} has refused {}; each asks again within {} s", cluster_,
                          base::join(refused, ", "), kAsksAgainWithin.count()));
  }
  const std::string who = base::count_of(istiods.size(), "istiod");
  if (most == 0) return yes(fmt::format("{} has refused nothing to {}", cluster_, who));
  return yes(fmt::format("{} has refused nothing more to {} for {} s, within which each asks again",
                         cluster_, who, kAsksAgainWithin.count()));
}

Verdict TakeUp::judge_unseen(const base::Error& why, std::chrono::milliseconds now) {
  if (!unseen_since_) unseen_since_ = now;
  const std::string seen =
      fmt::format("what its istiods were refused was not seen ({})", base::one_line(why.message));
  if (now - *unseen_since_ < kAsksAgainWithin) {
    return no(fmt::format("{}; each asks again within {} s", seen, kAsksAgainWithin.count()));
  }
  return yes(fmt::format("{}; each has asked again by now", seen));
}

}  // namespace meshtrust::mesh
