#pragma once

#include "pki/path/rules.h"

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

// What the tables of the single verifiers are written with (inside).

namespace meshtrust::pki {

struct PlacesOfCheck {
  Check check;
  Places places;
};

inline std::array<Places, kCheckCount> table_of(std::initializer_list<PlacesOfCheck> rows) {
  std::array<Places, kCheckCount> table{};
  for (const PlacesOfCheck& row : rows) {
    table[static_cast<std::size_t>(row.check)] = row.places;
  }
  return table;
}

inline bool is_sha2(Digest digest) {
  return digest == Digest::kSha256 || digest == Digest::kSha384 || digest == Digest::kSha512;
}

inline bool is_one_of(std::string_view object, std::span<const std::string_view> objects) {
  return std::ranges::find(objects, object) != objects.end();
}

/// The extension that a defect of an extension is about.
inline std::string_view extension_of(const Defect& defect) {
  return std::string_view(defect.found).substr(0, defect.found.find(' '));
}

/// Whether it is about the flag of an extension, or about how its value is encoded.
inline bool is_about_an_extension(const Defect& defect) {
  if (defect.check == Check::kDerTags || defect.check == Check::kDerPadding) {
    return extension_of(defect) == defect.found;  // else it is about the frame
  }
  return defect.check == Check::kExtensionReadable || defect.check == Check::kCriticalFlags;
}

/// Whether the extension cannot be decoded to its end, and not only says what it may not say.
inline bool is_undecodable(const Defect& defect) {
  return defect.check == Check::kExtensionReadable &&
         (extension_of(defect) == defect.found || defect.found.ends_with(kBytesBehind));
}

inline bool has_extension(const PathFacts& facts, std::string_view object) {
  return std::ranges::find(facts.extensions, object) != facts.extensions.end();
}

/// Odd, above 1 and at most `most`.
inline bool has_exponent_up_to(const PathKey& key, std::uint64_t most) {
  return key.exponent % 2 == 1 && key.exponent > 1 && key.exponent <= most;
}

/// Of an algorithm that has none: left out, or NULL, as is usual with RSA.
inline bool has_no_parameters(const PathSignature& signature) {
  return signature.parameters.empty() || signature.parameters == kDerNull;
}

constexpr std::uint64_t kMostOf33Bits = (1ULL << 33U) - 1;

}  // namespace meshtrust::pki
