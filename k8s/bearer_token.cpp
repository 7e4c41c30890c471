#include "k8s/bearer_token.h"

#include "base/encoding.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace meshtrust::k8s {
namespace {

/// From the URL alphabet without padding (RFC 7515 section 2).
std::string as_standard_base64(std::string_view text) {
  std::string standard(text);
  std::ranges::replace(standard, '-', '+');
  std::ranges::replace(standard, '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return standard;
}

}  // namespace

std::optional<base::Instant> end_of_token(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto claims =
      base::from_base64(as_standard_base64(token.substr(first + 1, second - first - 1)));
  if (!claims) return std::nullopt;
  const auto json =
      base::parse_json(std::string(claims->begin(), claims->end()), "claims of a token");
  if (!json || !json->is_object()) return std::nullopt;
  const base::Json& end = base::at_path(*json, {"exp"});
  if (!end.is_number_integer()) return std::nullopt;
  return base::Instant(base::Seconds(end.get<std::int64_t>()));
}

}  // namespace meshtrust::k8s
