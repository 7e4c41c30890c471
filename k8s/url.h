#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// `text` as one path segment or query value: everything but unreserved characters is
/// percent-encoded (RFC 3986 section 2.3).
std::string percent_encode(std::string_view text);

/// Whether `text` is an IP address (IPv6 without brackets) or can be the name of a host. What only
/// looks like an address, such as "127.1", is neither.
bool is_host(std::string_view text);

/// `url`, or what was meant to be one, without the user and password it may carry, for people: all
/// before the last "@" goes but for the scheme, wherever that stands.
std::string without_password(std::string_view url);

/// An `https` address taken apart. `host` has no brackets; `path` starts with "/" or is empty and
/// never ends with one; query and fragment are dropped.
struct ServerUrl {
  std::string host;
  std::string port = "443";
  std::string path;

  bool is_ip_address() const;
  bool is_loopback() const;
  /// "host:port" with the brackets that IPv6 needs.
  std::string authority() const;
  /// "https://host:port/path"; the default port is left out.
  std::string text() const;
};

/// kInvalidInput for anything but an absolute https URL with a host; the hint has the corrected
/// form. Neither quotes a password.
base::Result<ServerUrl> parse_server_url(std::string_view text);

}  // namespace meshtrust::k8s
