// Files that a person names: PEM of several objects, DER, PKCS#12. No crash, no passphrase asked
// for but by PKCS#12, and errors that name the file and quote nothing of it.

#include "base/check.h"
#include "pki/inspect.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using meshtrust::base::Secret;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  const Secret content({reinterpret_cast<const char*>(data), size});
  const auto ask = [](std::string_view) -> meshtrust::base::Result<Secret> {
    return Secret("fixture");
  };
  const auto objects = meshtrust::pki::find_objects("f", content, ask);
  if (!objects) {
    MESHTRUST_CHECK(objects.error().message.starts_with("f"));
    return 0;
  }
  for (const auto& object : *objects) {
    (void)meshtrust::base::pretty(meshtrust::pki::to_json(object));
  }
  return 0;
}
