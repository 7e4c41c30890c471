#include "k8s/url.h"

#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr std::string_view kHttps = "https://";

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= 65'535;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
           return a == ((b >= 'A' && b <= 'Z') ? static_cast<char>(b - 'A' + 'a') : b);
         });
}

base::Failure<base::Error> no_https(std::string_view text) {
  const std::string shown = without_password(text);
  if (starts_with_ignoring_case(text, "http://")) {
    return fail(Code::kInvalidInput, "server '" + shown + "' is not https, found 'http://'",
                "credentials are never sent in clear: write 'https://" + shown.substr(7) + "'");
  }
  return fail(Code::kInvalidInput, "server '" + shown + "' is not an https URL",
              "write it with its scheme, such as 'https://10.0.0.1:6443'");
}

/// Whether every character may stand in a host name or an IPv6 address as it is.
bool has_host_characters(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) { return is_unreserved(c) || c == ':'; });
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

bool is_host_label(std::string_view label) {
  constexpr std::size_t kLongest = 63;
  return !label.empty() && label.size() <= kLongest &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_unreserved(c) && c != '.' && c != '~'; });
}

}  // namespace

bool is_host(std::string_view text) {
  constexpr std::size_t kLongest = 253;
  if (text.find('\0') != std::string_view::npos) return false;
  if (is_address(std::string(text))) return true;
  if (text.ends_with('.')) text.remove_suffix(1);
  const auto labels = base::split(text, '.');
  // libc and libcurl take a name that ends in a number for an old spelling of an IPv4 address.
  const std::string& last = labels.back();
  const bool is_number =
      last.starts_with("0x") || last.starts_with("0X") ||
      std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
  return text.size() <= kLongest && !is_number &&
         std::all_of(labels.begin(), labels.end(), is_host_label);
}

std::string without_password(std::string_view url) {
  const std::size_t at = url.rfind('@');
  if (at == std::string_view::npos) return base::printable(url);
  const std::size_t scheme = url.substr(0, at).find("://");
  const std::size_t kept = scheme == std::string_view::npos ? 0 : scheme + 3;
  return base::printable(std::string(url.substr(0, kept)) + std::string(url.substr(at + 1)));
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xFU];
  }
  return out;
}

bool ServerUrl::is_ip_address() const {
  return is_address(host);
}

bool ServerUrl::is_loopback() const {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && is_ip_address();
}

std::string ServerUrl::authority() const {
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + port;
}

std::string ServerUrl::text() const {
  std::string place = authority();
  if (port == "443") place.resize(place.size() - 4);
  return std::string(kHttps) + place + path;
}

Result<ServerUrl> parse_server_url(std::string_view text) {
  if (!starts_with_ignoring_case(text, kHttps)) return no_https(text);
  std::string_view rest = text.substr(kHttps.size());
  rest = rest.substr(0, rest.find_first_of("?#"));
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);

  ServerUrl url;
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  while (url.path.ends_with('/')) {
    url.path.pop_back();
  }
  const auto bad = [&](std::string_view why) {
    return fail(Code::kInvalidInput, "server '" + without_password(text) + "' " + std::string(why));
  };
  if (authority.find('@') != std::string_view::npos) {
    return bad("is to be written without a user name and password");
  }
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad("has '[' without ']'");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    authority = colon == std::string_view::npos ? "" : authority.substr(colon);
  }
  if (url.host.empty()) return bad("has no host");
  if (!has_host_characters(url.host)) {
    return bad("has a host with characters that no host name has");
  }
  if (!is_host(url.host)) return bad("has a host that is neither a name nor an address");
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f'; };
  if (!std::all_of(url.path.begin(), url.path.end(), is_plain)) {
    return bad("has a path with a blank or a control character");
  }
  if (authority.empty() || authority == ":") return url;
  if (!authority.starts_with(':') || !is_port(authority.substr(1))) return bad("has no valid port");
  url.port = authority.substr(1);
  return url;
}

}  // namespace meshtrust::k8s
