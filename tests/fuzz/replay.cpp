// Feeds every file below the paths it is given to the fuzz target that it is linked with: whole,
// cut short, and with a byte changed. Bounded, so that it can run with the unit tests.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void feed(const std::string& text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

void replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  feed(text);
  constexpr std::size_t kVariants = 8;
  for (std::size_t i = 1; i < kVariants && !text.empty(); ++i) {
    const std::size_t at = text.size() * i / kVariants;
    feed(text.substr(0, at));
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 0x5a);
    feed(changed);
  }
}

}  // namespace

int main(int count, char** words) {
  std::size_t files = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(words[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files == 0 ? 1 : 0;
}
