#include "cli/passphrase_strength.h"

#include "pki/name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cctype>
#include <cstddef>
#include <filesystem>

namespace meshtrust::cli {
namespace {

using base::Secret;

constexpr std::size_t kLeastCharacters = 12;
constexpr std::size_t kLeastDifferent = 6;
constexpr std::size_t kLeastDigits = 20;

constexpr std::array<std::string_view, 14> kCommonWords = {
    "password", "passphrase", "passwd", "secret", "changeme", "changeit", "letmein",
    "admin",    "root",       "test",   "qwerty", "istio",    "mesh",     "meshtrust"};

/// Of UTF-8, by the bytes that begin a character.
std::size_t characters_of(std::string_view text) {
  constexpr unsigned char kMask = 0xc0;
  constexpr unsigned char kContinues = 0x80;
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & kMask) != kContinues; }));
}

std::size_t different_in(std::string_view text) {
  std::bitset<256> seen;
  for (const char c : text) {
    seen.set(static_cast<unsigned char>(c));
  }
  return seen.count();
}

bool is_digits(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// "abcdefgh", "87654321": nearly every character follows from the one before.
bool is_run(std::string_view text) {
  for (const int step : {1, -1}) {
    std::size_t steps = 0;
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] - text[i - 1] == step) ++steps;
    }
    if (text.size() > 2 && steps * 4 >= (text.size() - 1) * 3) return true;
  }
  return false;
}

/// Its letters alone, in lower case: what "Shop-Mesh_2026!" is made of.
template <class Into>
Into letters_of(std::string_view text) {
  Into letters;
  for (const char c : text) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalpha(letter) == 0) continue;
    const char lower = static_cast<char>(std::tolower(letter));
    letters.append(std::string_view(&lower, 1));
  }
  return letters;
}

/// Whether `letters` is `word`, once or several times.
bool is_made_of(std::string_view letters, std::string_view word) {
  if (word.empty() || letters.empty() || letters.size() % word.size() != 0) return false;
  for (; !letters.empty(); letters.remove_prefix(word.size())) {
    if (!letters.starts_with(word)) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> weaknesses_of(const Secret& passphrase,
                                       std::span<const std::string> names) {
  const std::string_view text = base::reveal(passphrase, "looking for what is easy to guess");
  std::vector<std::string> found;
  if (characters_of(text) < kLeastCharacters) {
    found.push_back(fmt::format("shorter than {} characters", kLeastCharacters));
  }
  if (different_in(text) < kLeastDifferent) {
    found.push_back(fmt::format("of fewer than {} different characters", kLeastDifferent));
  }
  if (is_digits(text) && text.size() < kLeastDigits) found.emplace_back("digits alone");
  if (is_run(text)) found.emplace_back("a run of neighbours");
  const auto letters = letters_of<Secret>(text);
  const std::string_view own = base::reveal(letters, "compared with names and common words");
  const bool is_common = std::ranges::any_of(
      kCommonWords, [own](std::string_view word) { return is_made_of(own, word); });
  const bool is_name = std::ranges::any_of(names, [own](const std::string& name) {
    return is_made_of(own, letters_of<std::string>(name));
  });
  if (is_common) found.emplace_back("a common word with little around it");
  if (is_name) found.emplace_back("a name of this mesh with little around it");
  return found;
}

std::string exposure_of(base::Files& files, const std::string& path) {
  const auto facts = files.facts_behind_links(path);
  constexpr unsigned kReadByOthers = 044;
  if (!facts || facts->kind != base::FileKind::kFile || (facts->mode & kReadByOthers) == 0) {
    return "";
  }
  return fmt::format(
      "'{0}' can be read by others: its mode is {1:04o}, wanted 0600 (chmod 600 '{0}')", path,
      facts->mode);
}

std::vector<std::string> names_in(std::string_view subject, std::string_view path) {
  std::vector<std::string> names{std::filesystem::path(path).stem().string()};
  if (const auto name = pki::DistinguishedName::parse(subject)) {
    for (const pki::NameAttribute& attribute : name->attributes) {
      names.push_back(attribute.value);
    }
  }
  return names;
}

}  // namespace meshtrust::cli
