#include "pki/path/names.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace meshtrust::pki {
namespace {

constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 253;

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_';
         });
}

bool mail_matches(std::string_view presented, std::string_view wanted) {
  const auto a = mailbox_of(presented);
  const auto b = mailbox_of(wanted);
  return a && b && a->local == b->local && lower(a->domain) == lower(b->domain);
}

struct SplitUri {
  std::string_view scheme;
  std::string_view authority;
  std::string_view rest;
  bool has_authority = false;
};

std::optional<SplitUri> split_uri(std::string_view uri) {
  const auto colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  SplitUri parts;
  parts.scheme = uri.substr(0, colon);
  uri.remove_prefix(colon + 1);
  if (uri.starts_with("//")) {
    uri.remove_prefix(2);
    parts.has_authority = true;
    parts.authority = uri.substr(0, uri.find_first_of("/?#"));
    uri.remove_prefix(parts.authority.size());
  }
  parts.rest = uri;
  return parts;
}

/// Where the '@' stands: behind the closing quote of a quoted local part, which may hold others
/// (RFC 5321 4.1.2).
std::size_t end_of_local_part(std::string_view address) {
  if (!address.starts_with('"')) return address.find('@');
  for (std::size_t i = 1; i < address.size(); ++i) {
    if (address[i] == '\\') {
      ++i;
    } else if (address[i] == '"') {
      const bool ends = i + 1 < address.size() && address[i + 1] == '@';
      return ends ? i + 1 : std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

}  // namespace

void append_with_length(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

std::string PathName::key() const {
  std::string joined;
  for (const std::string& rdn : rdns) {
    append_with_length(joined, rdn);
  }
  return joined;
}

std::string_view name_of(NameForm form) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "otherName",    "rfc822Name", "dNSName",   "x400Address", "directoryName",
      "ediPartyName", "URI",        "iPAddress", "registeredID"};
  return kNames.at(static_cast<std::size_t>(form));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::optional<std::string> ip_octets(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN) return std::nullopt;
  const std::string address(text);
  std::array<char, 16> octets{};
  if (inet_pton(AF_INET, address.c_str(), octets.data()) == 1) return {{octets.data(), 4}};
  if (inet_pton(AF_INET6, address.c_str(), octets.data()) == 1) return {{octets.data(), 16}};
  return std::nullopt;
}

std::string ip_text(std::string_view octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = octets.size() == 4 ? AF_INET : AF_INET6;
  const bool known = octets.size() == 4 || octets.size() == 16;
  if (known && inet_ntop(family, octets.data(), text.data(), text.size()) != nullptr) {
    return text.data();
  }
  return base::to_hex(base::as_bytes(octets));
}

bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);  // npos + 1 is 0
  return std::ranges::all_of(last, is_digit);
}

bool is_dns_name(std::string_view text, bool wildcard) {
  if (text.empty() || text.size() > kLongestName) return false;
  if (wildcard && text.starts_with("*.")) text.remove_prefix(2);
  while (true) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::optional<Mailbox> mailbox_of(std::string_view address) {
  const auto at = end_of_local_part(address);
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  const Mailbox box{.local = address.substr(0, at), .domain = address.substr(at + 1)};
  const char least = box.local.starts_with('"') ? ' ' : '!';
  const auto printable = [least](char c) { return c >= least && c < 0x7f; };
  if (!std::ranges::all_of(box.local, printable) || !is_dns_name(box.domain, false)) {
    return std::nullopt;
  }
  return box;
}

std::optional<std::string_view> constrained_host(std::string_view uri) {
  const auto parts = split_uri(uri);
  if (!parts || !parts->has_authority) return std::nullopt;
  std::string_view host = parts->authority;
  if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (!std::ranges::all_of(port, is_digit)) {
      return std::nullopt;
    }
    host = host.substr(0, colon);
  }
  if (!is_dns_name(host, false) || ends_in_number(host)) return std::nullopt;
  return host;
}

std::string normal_uri(std::string_view uri) {
  const auto parts = split_uri(uri);
  if (!parts) return std::string(uri);
  std::string out = lower(parts->scheme) + ":";
  if (parts->has_authority) {
    const auto at = parts->authority.rfind('@');  // user information keeps its case
    const std::size_t user = at == std::string_view::npos ? 0 : at + 1;
    out += "//";
    out += parts->authority.substr(0, user);
    out += lower(parts->authority.substr(user));
  }
  out += parts->rest;
  return out;
}

bool dns_name_matches(std::string_view presented, std::string_view wanted) {
  const std::string pattern = lower(presented);
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  const bool is_same = !pattern.empty() && pattern == lower(wanted);
  if (is_same && std::ranges::all_of(pattern, printable)) return true;
  const std::string host = lower(without_dot_behind(wanted));
  if (!is_dns_name(pattern, true) || !is_dns_name(host, false)) return false;
  if (pattern == host) return true;  // but for the dot of the root
  if (!pattern.starts_with("*.")) return false;
  const auto dot = host.find('.');
  if (dot == std::string::npos) return false;
  const std::string_view behind = std::string_view(pattern).substr(2);
  return behind.find('.') != std::string_view::npos &&
         std::string_view(host).substr(dot + 1) == behind;
}

bool names(const PathGeneralName& presented, const ReferenceName& wanted) {
  if (presented.form != wanted.form) return false;
  switch (wanted.form) {
    case NameForm::kDns:
      return dns_name_matches(presented.value, wanted.value);
    case NameForm::kEmail:
      return mail_matches(presented.value, wanted.value);
    case NameForm::kUri:
      return normal_uri(presented.value) == normal_uri(wanted.value);
    case NameForm::kIp:
      return presented.value == wanted.value;
    default:
      return false;
  }
}

}  // namespace meshtrust::pki
