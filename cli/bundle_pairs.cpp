#include "cli/bundle_pairs.h"

#include "base/text.h"
#include "run/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace meshtrust::cli {
namespace {

/// One question for all bundles that trust alike.
struct Question {
  const JudgedBundle* presenting;
  const JudgedBundle* trusting;
  std::vector<pki::Verdict> verdicts = {};
};

/// A thousand bundles make a million pairs, and mostly one root.
class Questions {
 public:
  void add(const JudgedBundle& presenting, const JudgedBundle& trusting) {
    const auto [place, is_new] = places_.try_emplace(key_of(presenting, trusting), all_.size());
    if (is_new) all_.push_back({.presenting = &presenting, .trusting = &trusting});
  }

  void ask(base::Instant at, std::size_t workers) {
    run::for_each_index(all_.size(), std::min(workers, all_.size()), [this, at](std::size_t i) {
      Question& one = all_[i];
      one.verdicts =
          mesh::judge_pair(*one.presenting->verdict.parsed, one.trusting->verdict.parsed->roots,
                           one.trusting->ca_crl, at);
    });
  }

  const std::vector<pki::Verdict>& answer(const JudgedBundle& presenting,
                                          const JudgedBundle& trusting) const {
    return all_[places_.at(key_of(presenting, trusting))].verdicts;
  }

 private:
  using Key = std::pair<const JudgedBundle*, std::size_t>;

  Key key_of(const JudgedBundle& presenting, const JudgedBundle& trusting) const {
    return {&presenting, terms_of(trusting)};
  }
  /// Bundles with the same roots and lists have the same number.
  std::size_t terms_of(const JudgedBundle& trusting) const {
    const auto known = numbers_.find(&trusting);
    if (known != numbers_.end()) return known->second;
    const auto [place, is_new] =
        terms_.try_emplace({trusting.root_cert, trusting.ca_crl}, terms_.size());
    return numbers_[&trusting] = place->second;
  }

  mutable std::map<std::pair<std::string, std::string>, std::size_t> terms_;
  mutable std::map<const JudgedBundle*, std::size_t> numbers_;
  std::map<Key, std::size_t> places_;
  std::vector<Question> all_;
};

}  // namespace

std::string BundlePairs::render() const {
  return fmt::format("{} of {} accepted: {}\n", accepted, base::count_of(count, "ordered pair"),
                     accepted == count ? "every workload will trust every other"
                                       : "these bundles do not make one mesh");
}

BundlePairs judge_pairs_of(const std::vector<JudgedBundle>& bundles,
                           base::Instant at,
                           std::size_t workers,
                           bool wants_all) {
  std::vector<std::pair<const JudgedBundle*, const JudgedBundle*>> pairs;
  Questions questions;
  for (const JudgedBundle& from : bundles) {
    for (const JudgedBundle& to : bundles) {
      if (&from == &to || !from.verdict.parsed || !to.verdict.parsed) continue;
      pairs.emplace_back(&from, &to);
      questions.add(from, to);
    }
  }
  questions.ask(at, workers);
  BundlePairs judged{.count = pairs.size()};
  for (const auto& [from, to] : pairs) {
    const auto& said = questions.answer(*from, *to);
    mesh::PairVerdict pair{.from = from->paths.name, .to = to->paths.name, .verdicts = said};
    judged.accepted += pair.accepted() ? 1 : 0;
    if (wants_all || !pair.accepted() || pair.is_doubted()) judged.told.push_back(std::move(pair));
  }
  return judged;
}

}  // namespace meshtrust::cli
