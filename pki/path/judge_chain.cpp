#include "pki/path/judge_chain.h"

#include "pki/path/search.h"

#include <algorithm>
#include <array>

namespace meshtrust::pki {

std::span<const std::string_view> chain_judges() {
  static constexpr std::array<std::string_view, 6> kJudges = {"meshtrust", "openssl",   "botan",
                                                              "go",        "boringssl", "webpki"};
  return kJudges;
}

ChainVerdict judge_chain(const ChainQuestion& question, std::string_view judge) {
  if (judge == "openssl") return ask_openssl(question);
  if (judge == "botan") return ask_botan(question);
  const auto modelled = std::ranges::find(modelled_rules(), judge, &Rules::name);
  if (modelled != modelled_rules().end()) return judge_by_rules(question, **modelled);
  return judge_by_rules(question, question.is_strict ? strict_rules() : own_rules());
}

}  // namespace meshtrust::pki
