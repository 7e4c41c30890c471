#include "pki/verify.h"

#include <algorithm>

namespace meshtrust::pki {

std::vector<Verdict> judge(const TrustQuestion& question) {
  return {judge_with_openssl(question), judge_with_botan(question)};
}

bool all_accept(std::span<const Verdict> verdicts) {
  return !verdicts.empty() && std::ranges::all_of(verdicts, &Verdict::accepted);
}

}  // namespace meshtrust::pki
