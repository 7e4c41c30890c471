// Certificates come from anybody. Whatever bytes they are: no crash, and what parses is linted in
// every role and told as JSON, names nothing but text, and is found again by its own bytes.

#include "base/check.h"
#include "pki/family.h"
#include "pki/inspect.h"
#include "pki/lint.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>

namespace {

using meshtrust::pki::Certificate;
using meshtrust::pki::LintRole;

void check(meshtrust::base::ByteView bytes) {
  const auto certificate = Certificate::from_der(bytes);
  if (!certificate) {
    MESHTRUST_CHECK(!certificate.error().message.empty());
    return;
  }
  const auto again = Certificate::from_der(certificate->der());
  MESHTRUST_CHECK(again && again->fingerprint() == certificate->fingerprint());
  constexpr meshtrust::base::Instant kNow{meshtrust::base::Seconds(1'795'255'200)};
  for (const LintRole role : {LintRole::kRoot, LintRole::kIntermediate, LintRole::kWorkload}) {
    for (const auto& finding : meshtrust::pki::lint(
             {.certificate = *certificate, .role = role, .issuer = &*certificate, .at = kNow})) {
      MESHTRUST_CHECK(!finding.rule.empty() && !finding.message.empty());
    }
  }
  (void)meshtrust::pki::find_family(std::vector{*certificate, *again});
  const auto json = meshtrust::pki::to_json({.source = "fuzz", .what = *certificate});
  (void)meshtrust::base::pretty(json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check({data, size});
  return 0;
}
