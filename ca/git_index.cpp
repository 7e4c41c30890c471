#include "ca/git_index.h"

#include "base/text.h"

#include <array>
#include <optional>
#include <string>
#include <system_error>

namespace meshtrust::ca {
namespace {

namespace fs = std::filesystem;

/// Reads an index from front to back; every read may find the end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }

  std::optional<std::string_view> take(std::size_t count) {
    if (count > bytes_.size() - position_) return std::nullopt;
    const std::string_view taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }

  std::optional<std::uint32_t> number(std::size_t width) {
    const auto taken = take(width);
    if (!taken) return std::nullopt;
    std::uint32_t value = 0;
    for (const char byte : *taken) {
      value = (value << 8U) | static_cast<unsigned char>(byte);
    }
    return value;
  }

  /// Git's variable-width number: seven bits a byte, each continuation adding one.
  std::optional<std::size_t> varint() {
    std::size_t value = 0;
    for (int count = 0; count < 5; ++count) {
      const auto byte = number(1);
      if (!byte) return std::nullopt;
      value = (value << 7U) | (*byte & 0x7fU);
      if ((*byte & 0x80U) == 0) return value;
      ++value;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> text() {
    const std::size_t end = bytes_.find('\0', position_);
    if (end == std::string_view::npos) return std::nullopt;
    const auto taken = take(end - position_);
    ++position_;
    return taken;
  }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
};

constexpr std::size_t kStatBytes = 40;
constexpr std::uint32_t kExtended = 0x4000;
constexpr std::uint32_t kNameLength = 0x0fff;

/// The name of the next entry, or nothing when this is not an entry with hashes of that size.
std::optional<std::string> take_entry(Reader& reader,
                                      std::uint32_t version,
                                      std::size_t hash_bytes,
                                      const std::string& previous) {
  const std::size_t start = reader.position();
  if (!reader.take(kStatBytes + hash_bytes)) return std::nullopt;
  const auto flags = reader.number(2);
  if (!flags) return std::nullopt;
  if (version >= 3 && (*flags & kExtended) != 0 && !reader.take(2)) return std::nullopt;
  std::string name;
  if (version == 4) {
    const auto cut = reader.varint();
    if (!cut || *cut > previous.size()) return std::nullopt;
    name = previous.substr(0, previous.size() - *cut);
  }
  const auto rest = reader.text();
  if (!rest) return std::nullopt;
  name += *rest;
  const std::uint32_t stated = *flags & kNameLength;
  if (name.empty() || (stated != kNameLength && stated != name.size())) return std::nullopt;
  // Before version 4 an entry is padded with zeros to a multiple of eight; one is read already.
  const std::size_t length = reader.position() - start;
  if (version < 4 && !reader.take((8 - length % 8) % 8)) return std::nullopt;
  return name;
}

/// Whether the entries, read with hashes of that size, list the path; nothing when they do not fit.
std::optional<bool> entries_list(std::string_view index,
                                 std::string_view path,
                                 std::size_t hash_bytes) {
  Reader reader(index);
  const auto magic = reader.take(4);
  const auto version = reader.number(4);
  const auto count = reader.number(4);
  if (magic != "DIRC" || !version || !count || *version < 2 || *version > 4) return std::nullopt;
  const std::string folder = std::string(path) + "/";
  std::string name;
  bool listed = false;
  for (std::uint32_t i = 0; i < *count; ++i) {
    auto next = take_entry(reader, *version, hash_bytes, name);
    if (!next) return std::nullopt;
    name = *std::move(next);
    listed = listed || name == path || name.starts_with(folder);
  }
  return listed;
}

/// The folder in which the work tree at `folder` keeps its index: `.git`, or where that file says.
std::optional<fs::path> git_folder(base::Files& files, const fs::path& folder) {
  const fs::path dot_git = folder / ".git";
  const auto facts = files.facts(dot_git);
  if (!facts || facts->kind == base::FileKind::kAbsent) return std::nullopt;
  if (facts->kind != base::FileKind::kFile) return dot_git;
  const auto content = files.read(dot_git, 4096);
  constexpr std::string_view kPrefix = "gitdir:";
  if (!content || !content->starts_with(kPrefix)) return std::nullopt;
  return folder / base::trim(std::string_view(*content).substr(kPrefix.size()));
}

}  // namespace

bool index_lists(std::string_view index, std::string_view path) {
  constexpr std::array<std::size_t, 2> kHashBytes{20, 32};  // SHA-1, SHA-256
  for (const std::size_t hash_bytes : kHashBytes) {
    if (const auto listed = entries_list(index, path, hash_bytes)) return *listed;
  }
  return false;
}

bool is_tracked_by_git(base::Files& files, const fs::path& path) {
  std::error_code unresolved;
  const fs::path resolved = fs::weakly_canonical(fs::absolute(path, unresolved), unresolved);
  if (unresolved || resolved.empty()) return false;
  for (fs::path tree = resolved.parent_path();; tree = tree.parent_path()) {
    if (const auto git = git_folder(files, tree)) {
      const auto index = files.read(*git / "index", std::size_t{64} << 20U);
      return index && index_lists(*index, resolved.lexically_relative(tree).generic_string());
    }
    if (tree == tree.root_path()) return false;
  }
}

}  // namespace meshtrust::ca
