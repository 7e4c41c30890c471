#include "k8s/proxy.h"

#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace meshtrust::k8s {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

/// "socks5" of "SOCKS5://host:1080"; "" when there is no scheme.
std::string scheme_of(std::string_view url) {
  const std::size_t end = url.find("://");
  return end == std::string_view::npos ? std::string() : lower(url.substr(0, end));
}

/// What stands between the scheme and the path: who, and which host and port.
std::string_view authority_of(std::string_view url) {
  const std::string_view rest = url.substr(url.find("://") + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

/// In libcurl's words, with the port that Go programs take when none is given.
std::string for_curl(std::string_view url) {
  const std::string scheme = scheme_of(url);
  std::string authority(authority_of(url));
  if (authority.ends_with(':')) authority.pop_back();
  const std::string_view place = std::string_view(authority).substr(authority.rfind('@') + 1);
  const std::size_t after_address = place.find(']');
  const bool has_port =
      place.find(':', after_address == std::string_view::npos ? 0 : after_address) !=
      std::string_view::npos;
  const char* port = scheme == "http" ? ":80" : scheme == "https" ? ":443" : ":1080";
  return (scheme == "socks5" ? "socks5h" : scheme) + "://" + authority + (has_port ? "" : port);
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= 65'535;
}

/// "host", "host:port", "[address]:port"; a port may be empty, as in "host:".
bool is_place(std::string_view place) {
  std::string_view host = place.substr(0, place.find(':'));
  if (place.starts_with('[')) {
    const std::size_t close = place.find(']');
    if (close == std::string_view::npos) return false;
    host = place.substr(1, close - 1);
    place.remove_prefix(close + 1);
    if (host.find(':') == std::string_view::npos) return false;
  } else {
    place.remove_prefix(host.size());
  }
  if (!is_host(host)) return false;
  return place.empty() || place == ":" || (place.front() == ':' && is_port(place.substr(1)));
}

/// An address in 16 bytes, IPv4 as `::ffff:a.b.c.d`.
using Address = std::array<unsigned char, 16>;

std::optional<Address> parse_address(std::string_view text) {
  Address out{};
  const std::string copy(text);
  if (inet_pton(AF_INET6, copy.c_str(), out.data()) == 1) return out;
  out = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, copy.c_str(), out.data() + 12) == 1) return out;
  return std::nullopt;
}

/// Whether `address` is in the network `text` ("10.0.0.0/8"); nothing when that is no network.
std::optional<bool> is_in_network(const std::optional<Address>& address, std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto network = parse_address(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const bool is_ipv4 = text.find(':') == std::string_view::npos;
  if (!network || error != std::errc() || end != digits.data() + digits.size() ||
      bits > (is_ipv4 ? 32U : 128U)) {
    return std::nullopt;
  }
  if (!address) return false;
  if (is_ipv4) bits += 96;
  for (std::size_t i = 0; i < address->size() && bits > 0; ++i) {
    const unsigned taken = std::min(bits, 8U);
    const auto mask = static_cast<unsigned char>(0xff00U >> taken);
    if (((*address)[i] & mask) != ((*network)[i] & mask)) return false;
    bits -= taken;
  }
  return true;
}

struct HostAndPort {
  std::string host;
  std::string port;
};

/// "name:80", "[::1]:80" taken apart; what has no port is a host as a whole.
HostAndPort split_port(const std::string& entry) {
  const std::size_t colon = entry.rfind(':');
  const bool bracketed = entry.starts_with('[');
  const std::size_t close = entry.find(']');
  if (bracketed && close != std::string::npos && colon == close + 1) {
    return {.host = entry.substr(1, close - 1), .port = entry.substr(colon + 1)};
  }
  if (!bracketed && colon != std::string::npos && entry.find(':') == colon) {
    return {.host = entry.substr(0, colon), .port = entry.substr(colon + 1)};
  }
  return {.host = entry, .port = {}};
}

bool excludes(const std::string& entry,
              const ServerUrl& server,
              const std::optional<Address>& address) {
  if (entry == "*") return true;
  if (const auto inside = is_in_network(address, entry)) return *inside;
  auto [name, port] = split_port(entry);
  if (name.empty() || (!port.empty() && port != server.port)) return false;
  if (const auto excluded = parse_address(name)) return address == excluded;
  if (name.starts_with("*.")) name.erase(0, 1);
  const std::string host = lower(server.host);
  if (name.starts_with('.')) return host.ends_with(name);
  return host == name || host.ends_with("." + name);
}

bool goes_direct(const ServerUrl& server, const std::string& no_proxy) {
  if (server.is_loopback()) return true;
  const auto address = parse_address(server.host);
  const auto entries = base::split(no_proxy, ',');
  return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    const std::string trimmed = lower(base::trim(entry));
    return !trimmed.empty() && excludes(trimmed, server, address);
  });
}

}  // namespace

bool is_proxy_url(std::string_view url) {
  const std::string scheme = scheme_of(url);
  if (scheme != "http" && scheme != "https" && scheme != "socks5") return false;
  const std::string_view authority = authority_of(url);
  return is_place(authority.substr(authority.rfind('@') + 1)) &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c != '\x7f'; });
}

std::string choose_proxy(const ServerUrl& server,
                         const std::string& proxy_url,
                         const ProxyEnvironment& environment) {
  if (!proxy_url.empty()) return for_curl(proxy_url);
  const std::string& proxy = environment.https_proxy;
  if (proxy.empty() || goes_direct(server, environment.no_proxy)) return {};
  const std::string scheme = scheme_of(proxy);
  const bool known =
      scheme == "http" || scheme == "https" || scheme == "socks5" || scheme == "socks5h";
  return for_curl(known ? proxy : "http://" + proxy);
}

std::string proxy_for_people(const ServerUrl& server,
                             const std::string& proxy_url,
                             const ProxyEnvironment& environment) {
  if (choose_proxy(server, proxy_url, environment).empty()) return {};
  return without_password(proxy_url.empty() ? environment.https_proxy : proxy_url);
}

}  // namespace meshtrust::k8s
