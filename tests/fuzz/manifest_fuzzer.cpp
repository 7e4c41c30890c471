// Secrets and ConfigMaps as YAML or JSON: no crash, values named by their object, and errors that
// have a place and quote no line.

#include "base/check.h"
#include "k8s/manifest.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using meshtrust::base::Secret;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  const Secret content({reinterpret_cast<const char*>(data), size});
  const auto values = meshtrust::k8s::read_manifest("f.yaml", content);
  if (!values) {
    MESHTRUST_CHECK(values.error().place.file == "f.yaml");
    MESHTRUST_CHECK(values.error().place.source_line.empty());
    return 0;
  }
  if (!*values) return 0;
  for (const auto& value : **values) {
    MESHTRUST_CHECK(!value.object.empty());
  }
  return 0;
}
