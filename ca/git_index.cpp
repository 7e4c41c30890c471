#include "ca/git_index.h"

#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

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

  std::size_t left() const { return bytes_.size() - position_; }

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
constexpr std::size_t kModeAt = 24;
constexpr std::uint32_t kExtended = 0x4000;
constexpr std::uint32_t kNameLength = 0x0fff;
constexpr std::uint32_t kFolderMode = 0040000;
constexpr std::size_t kLargestIndex = std::size_t{256} << 20U;

struct Entry {
  std::string name;        ///< empty in a split index, for one that replaces an entry of the shared
  bool is_folder = false;  ///< of a sparse index: a folder whose content is not listed
};

/// The next entry, or nothing when this is not an entry with hashes of that size.
std::optional<Entry> take_entry(Reader& reader,
                                std::uint32_t version,
                                std::size_t hash_bytes,
                                const std::string& previous) {
  const std::size_t start = reader.position();
  const auto status = reader.take(kStatBytes + hash_bytes);
  const auto flags = reader.number(2);
  if (!status || !flags) return std::nullopt;
  if (version >= 3 && (*flags & kExtended) != 0 && !reader.take(2)) return std::nullopt;
  Entry entry{.name = {}, .is_folder = Reader(status->substr(kModeAt)).number(4) == kFolderMode};
  if (version == 4) {
    const auto cut = reader.varint();
    if (!cut || *cut > previous.size()) return std::nullopt;
    entry.name = previous.substr(0, previous.size() - *cut);
  }
  const auto rest = reader.text();
  if (!rest) return std::nullopt;
  entry.name += *rest;
  const std::uint32_t stated = *flags & kNameLength;
  if (stated != kNameLength && stated != entry.name.size()) return std::nullopt;
  // Before version 4 an entry is padded with zeros to a multiple of eight; one is read already.
  const std::size_t length = reader.position() - start;
  if (version < 4 && !reader.take((8 - length % 8) % 8)) return std::nullopt;
  return entry;
}

/// What an index says about one path.
struct Listing {
  std::vector<std::size_t> places = {};  ///< of the entries that are it, or below it
  std::size_t entries = 0;
  std::string link = {};     ///< a split index: what ties it to the shared one
  std::string unknown = {};  ///< why it does not tell all
  std::size_t hash_bytes = 0;
};

/// Git means those in lower case to be understood by whoever reads the rest.
void note_extension(std::string_view name, std::string_view content, Listing& listing) {
  if (name == "link") {
    listing.link = content;
  } else if (name != "sdir" && name.front() >= 'a' && name.front() <= 'z') {
    listing.unknown = "its index has the extension '" + base::printable(name) + "'";
  }
}

/// The index read with hashes of that size; nothing when it does not fit to the last octet.
std::optional<Listing> read_index(std::string_view index,
                                  std::string_view path,
                                  std::size_t hash_bytes) {
  Reader reader(index);
  const auto magic = reader.take(4);
  const auto version = reader.number(4);
  const auto count = reader.number(4);
  if (magic != "DIRC" || !version || !count || *version < 2 || *version > 4) return std::nullopt;
  const std::string folder = path.empty() ? "" : std::string(path) + "/";
  Listing listing{.entries = *count, .hash_bytes = hash_bytes};
  std::string previous;
  for (std::uint32_t i = 0; i < *count; ++i) {
    auto entry = take_entry(reader, *version, hash_bytes, previous);
    if (!entry) return std::nullopt;
    previous = std::move(entry->name);
    if (previous.empty()) continue;
    if (previous == path || previous.starts_with(folder)) listing.places.push_back(i);
    if (entry->is_folder && folder.starts_with(previous)) {
      listing.unknown =
          "its index is sparse and leaves out what is in '" + base::printable(previous) + "'";
    }
  }
  while (reader.left() > hash_bytes) {
    const auto name = reader.take(4);
    const auto size = reader.number(4);
    const auto content = size ? reader.take(*size) : std::nullopt;
    if (!name || !content) return std::nullopt;
    note_extension(*name, *content, listing);
  }
  if (reader.left() != hash_bytes) return std::nullopt;
  return listing;
}

std::optional<Listing> read_index(std::string_view index, std::string_view path) {
  constexpr std::array<std::size_t, 2> kHashBytes{20, 32};  // SHA-1, SHA-256
  for (const std::size_t hash_bytes : kHashBytes) {
    if (auto listing = read_index(index, path, hash_bytes)) return listing;
  }
  return std::nullopt;
}

/// The next bitmap in Git's form of EWAH, its first `most` bits: words of 64, of which one in front
/// of each group says how many equal ones come first, and how many that are written out follow.
std::optional<std::vector<bool>> take_bitmap(Reader& reader, std::size_t most) {
  constexpr std::size_t kWord = 64;
  const auto bits = reader.number(4);
  const auto words = reader.number(4);
  if (!bits || !words) return std::nullopt;
  std::vector<bool> set;
  for (std::uint32_t i = 0; i < *words;) {
    const auto high = reader.number(4);
    const auto low = reader.number(4);
    if (!high || !low) return std::nullopt;
    const bool value = (*low & 1U) != 0;
    const std::uint64_t equal = ((std::uint64_t{*high} << 32U | *low) >> 1U) & 0xffffffffU;
    const std::uint32_t literal = *high >> 1U;
    set.resize(std::min<std::uint64_t>(most, set.size() + equal * kWord), value);
    if (literal >= *words - i) return std::nullopt;
    for (std::uint32_t j = 0; j < literal; ++j) {
      const auto word_high = reader.number(4);
      const auto word_low = reader.number(4);
      if (!word_high || !word_low) return std::nullopt;
      const std::uint64_t word = std::uint64_t{*word_high} << 32U | *word_low;
      for (std::size_t bit = 0; bit < kWord && set.size() < most; ++bit) {
        set.push_back((word >> bit & 1U) != 0);
      }
    }
    i += 1 + literal;
  }
  if (!reader.number(4)) return std::nullopt;  // where the last group begins
  set.resize(most, false);
  return set;
}

/// The folder in which the work tree at `folder` keeps its index: `.git`, or where that file says.
base::Result<std::optional<fs::path>> git_folder(base::Files& files, const fs::path& folder) {
  const fs::path dot_git = folder / ".git";
  MESHTRUST_TRY(const base::FileFacts facts, files.facts(dot_git));
  if (facts.kind == base::FileKind::kAbsent) return std::optional<fs::path>();
  if (facts.kind == base::FileKind::kFolder || facts.kind == base::FileKind::kSymlink) {
    return std::optional(dot_git);
  }
  constexpr std::size_t kLongest = 4096;
  constexpr std::string_view kPrefix = "gitdir:";
  MESHTRUST_TRY(const std::string content, files.read(dot_git, kLongest));
  if (!content.starts_with(kPrefix)) {
    return base::fail(base::Code::kInvalidInput,
                      "'" + dot_git.string() + "' does not say where its repository is");
  }
  return std::optional(folder / base::trim(std::string_view(content).substr(kPrefix.size())));
}

/// The listing of the shared index that `link` names, less what the split one takes out of it.
GitAnswer ask_shared(base::Files& files,
                     const fs::path& git,
                     const Listing& split,
                     std::string_view path) {
  Reader reader(split.link);
  const auto hash = reader.take(split.hash_bytes);
  if (!hash) return {.is_tracked = false, .unknown = "its split index is damaged"};
  if (hash->find_first_not_of('\0') == std::string_view::npos) return {};
  const fs::path file = git / ("sharedindex." + base::to_hex(base::as_bytes(*hash)));
  const auto content = files.read(file, kLargestIndex);
  const auto shared = content ? read_index(*content, path) : std::nullopt;
  if (!shared) return {.is_tracked = false, .unknown = "'" + file.string() + "' cannot be read"};
  std::vector<bool> removed(shared->entries, false);
  if (reader.left() > 0) {
    auto bitmap = take_bitmap(reader, shared->entries);
    if (!bitmap) return {.is_tracked = false, .unknown = "its split index is damaged"};
    removed = *std::move(bitmap);
  }
  const bool is_tracked = std::any_of(shared->places.begin(), shared->places.end(),
                                      [&removed](std::size_t place) { return !removed[place]; });
  return {.is_tracked = is_tracked, .unknown = shared->unknown};
}

GitAnswer ask_index(base::Files& files, const fs::path& git, std::string_view path) {
  const fs::path file = git / "index";
  const auto facts = files.facts(file);
  if (facts && facts->kind == base::FileKind::kAbsent) return {};  // nothing was ever added
  const auto content = files.read(file, kLargestIndex);
  if (!content) return {.is_tracked = false, .unknown = content.error().message};
  const auto listing = read_index(*content, path);
  if (!listing) {
    return {.is_tracked = false, .unknown = "'" + file.string() + "' is in no form known here"};
  }
  if (!listing->places.empty()) return {.is_tracked = true, .unknown = {}};
  if (listing->link.empty()) return {.is_tracked = false, .unknown = listing->unknown};
  GitAnswer answer = ask_shared(files, git, *listing, path);
  if (answer.unknown.empty()) answer.unknown = listing->unknown;
  return answer;
}

}  // namespace

GitAnswer ask_git(base::Files& files, const fs::path& path) {
  std::error_code unresolved;
  const fs::path resolved = fs::weakly_canonical(fs::absolute(path, unresolved), unresolved);
  if (unresolved || resolved.empty()) {
    return {.is_tracked = false, .unknown = "'" + path.string() + "' cannot be resolved"};
  }
  GitAnswer all;
  // Each work tree around it, not only the nearest: what was added to the outer one stays there
  // when somebody makes an inner one. And the store may itself have been made one.
  for (fs::path tree = resolved;; tree = tree.parent_path()) {
    const auto git = git_folder(files, tree);
    if (!git) {
      all.unknown = git.error().message;
    } else if (*git) {
      const std::string name =
          tree == resolved ? "" : resolved.lexically_relative(tree).generic_string();
      GitAnswer one = ask_index(files, **git, name);
      if (one.is_tracked) return one;
      if (!one.unknown.empty()) all.unknown = std::move(one.unknown);
    }
    if (tree == tree.root_path()) return all;
  }
}

}  // namespace meshtrust::ca
