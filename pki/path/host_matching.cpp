#include "pki/path/host_matching.h"

#include "pki/path/name_reader.h"
#include "pki/path/names.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

using View = std::string_view;

bool is_go_label(View label) {
  return !label.empty() && label.front() != '-' && std::ranges::all_of(label, [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_';
  });
}

/// Labels of any length; a pattern keeps its dot at the end and may begin with "*".
bool is_go_host(View host, bool is_pattern) {
  if (!is_pattern) host = without_dot_behind(host);
  if (host == "*") return false;
  bool is_first = true;
  while (true) {
    const auto dot = host.find('.');
    const View label = host.substr(0, dot);
    const bool is_wildcard = is_pattern && is_first && label == "*";
    if (!is_wildcard && !is_go_label(label)) return false;
    if (dot == View::npos) return true;
    host.remove_prefix(dot + 1);
    is_first = false;
  }
}

/// Whether a wildcard may stand before `suffix`, which begins with a dot: two labels or more, of
/// letters, digits and inner hyphens.
bool is_boringssl_suffix(View suffix) {
  std::size_t labels = 0;
  while (!suffix.empty()) {
    suffix.remove_prefix(1);
    const View label = suffix.substr(0, suffix.find('.'));
    const auto fits = [](char c) { return is_alphanumeric(c) || c == '-'; };
    if (label.empty() || label.front() == '-' || label.back() == '-' ||
        !std::ranges::all_of(label, fits)) {
      return false;
    }
    suffix.remove_prefix(label.size());
    ++labels;
  }
  return labels >= 2;
}

}  // namespace

bool go_host_matches(View presented, View wanted) {
  const std::string pattern = lower(presented);
  const std::string host = lower(wanted);
  if (!is_go_host(host, false) || !is_go_host(pattern, true)) {
    return !host.empty() && host != "." && pattern == host;
  }
  const View bare = without_dot_behind(host);
  if (!pattern.starts_with("*.")) return bare == pattern;
  const auto dot = bare.find('.');
  return dot != View::npos && bare.substr(dot) == View(pattern).substr(1);
}

std::optional<std::string> go_address_in(View host) {
  if (host.size() >= 3 && host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return ip_octets(host);
}

bool boringssl_host_matches(View presented, View wanted) {
  const std::string pattern = lower(presented);
  const std::string host = lower(wanted);
  const bool is_wildcard = pattern.starts_with("*.") && !(host.size() > 1 && host.front() == '.') &&
                           is_boringssl_suffix(View(pattern).substr(1));
  if (!is_wildcard) return pattern == host;
  const View suffix = View(pattern).substr(1);
  if (!View(host).ends_with(suffix)) return false;
  const View label = View(host).substr(0, host.size() - suffix.size());
  if (label == "*") return true;
  return !label.empty() &&
         std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool boringssl_takes_for_host(View name) {
  name = without_dot_behind(name);
  if (name.starts_with("*.")) name.remove_prefix(2);
  while (true) {
    const auto dot = name.find('.');
    const View label = name.substr(0, dot);
    const auto fits = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == ':'; };
    if (label.empty() || label.front() == '-' || !std::ranges::all_of(label, fits)) return false;
    if (dot == View::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool webpki_host_matches(View presented, View wanted) {
  const NameReader& reader = webpki_names();
  const auto host = reader.dns(without_dot_behind(wanted));
  const auto pattern = reader.dns(presented);
  return host && pattern && !host->starts_with('*') && dns_name_matches(*pattern, *host);
}

}  // namespace meshtrust::pki
