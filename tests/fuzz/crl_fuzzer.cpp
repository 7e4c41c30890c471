// Revocation lists from elsewhere: no crash, and what parses is linted and told as JSON.

#include "base/check.h"
#include "pki/inspect.h"
#include "pki/lint.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using meshtrust::pki::RevocationList;
  const auto list = RevocationList::from_der({data, size});
  if (!list) return 0;
  const auto again = RevocationList::from_der(list->der());
  MESHTRUST_CHECK(again && again->facts().fingerprint == list->facts().fingerprint);
  constexpr meshtrust::base::Instant kNow{meshtrust::base::Seconds(1'795'255'200)};
  (void)meshtrust::pki::lint({.list = *list, .issuer = nullptr, .at = kNow});
  const auto pem = meshtrust::pki::revocation_lists_from_pem(list->pem());
  MESHTRUST_CHECK(pem && pem->size() == 1 && pem->front() == *list);
  (void)meshtrust::base::pretty(meshtrust::pki::to_json({.source = "fuzz", .what = *list}));
  return 0;
}
