// Certificates and revocation lists come from strangers. Whatever a PEM text holds: no crash, an
// answer from every judge in bounded work, and reasons exactly where it is a refusal.

#include "base/check.h"
#include "base/text.h"
#include "pki/path/judge_chain.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using namespace meshtrust;

void check(const pki::ChainQuestion& question, std::string_view judge) {
  const pki::ChainVerdict verdict = judge_chain(question, judge);
  MESHTRUST_CHECK(verdict.accepted == verdict.reason.empty());
  MESHTRUST_CHECK(!verdict.accepted || verdict.failures.empty());
  for (const pki::PathFailure& failure : verdict.failures) {
    MESHTRUST_CHECK(!failure.text().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto chain = pki::path_certificates_from_pem(text);
  auto crls = pki::path_crls_from_pem(text);
  if (!chain) return 0;
  pki::ChainQuestion question;
  question.chain = *chain;
  question.anchors = {chain->back()};
  question.at = chain->front().facts().not_before;
  if (crls) question.crls = *crls;
  for (const bool revocation : {false, true}) {
    question.asks_revocation = revocation;
    for (const std::string_view judge : pki::chain_judges()) {
      check(question, judge);
    }
  }
  question.name = pki::ReferenceName{.form = pki::NameForm::kDns, .value = "web.example.com"};
  question.purpose = pki::Purpose::kServer;
  check(question, "meshtrust");
  return 0;
}
