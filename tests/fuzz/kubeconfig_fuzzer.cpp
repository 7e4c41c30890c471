// Kubeconfigs come from other people. Whatever one holds: no crash, an error that has a place and
// quotes nothing, and a view that is read back as the same view.

#include "base/check.h"
#include "base/files.h"
#include "k8s/kubeconfig.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using meshtrust::base::Json;
using meshtrust::k8s::Kubeconfig;
using meshtrust::k8s::Secrets;

void check(std::string_view text) {
  const auto config = Kubeconfig::parse("/nowhere/config", text);
  if (!config) {
    MESHTRUST_CHECK(config.error().place.file == "/nowhere/config");
    MESHTRUST_CHECK(config.error().place.source_line.empty());
    return;
  }
  const Json view = to_json(config->content(), Secrets::kShown);
  (void)to_json(config->content(), Secrets::kRedacted);
  (void)config->odd_entries({});
  // JSON is YAML but for few characters that only JSON lets stand unescaped.
  const auto again = Kubeconfig::parse("/nowhere/config", view.dump(2, ' ', true));
  MESHTRUST_CHECK(again.operator bool());
  MESHTRUST_CHECK(to_json(again->content(), Secrets::kShown) == view);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  check({reinterpret_cast<const char*>(data), size});
  return 0;
}
