#pragma once

#include "k8s/url.h"

#include <string>
#include <string_view>

namespace meshtrust::k8s {

/// What the environment says about proxies, as Go programs read it: the upper-case name of each
/// variable first, then the lower-case one. `ALL_PROXY` is none of them.
struct ProxyEnvironment {
  std::string https_proxy = {};  ///< HTTPS_PROXY, https_proxy
  std::string no_proxy = {};     ///< NO_PROXY, no_proxy
};

/// Whether kubectl takes `url` for a proxy: absolute, one of http, https, socks5, with a host and
/// at most a number as port.
bool is_proxy_url(std::string_view url);

/// Through which proxy `server` is reached, as libcurl wants it; "" for none. `proxy_url` (of the
/// kubeconfig) wins over the environment. By the environment nothing goes to this machine itself
/// through a proxy, nor to what `no_proxy` lists: "*", names with their subdomains (".x" and "*.x":
/// subdomains alone), addresses, networks, each but the last with a port if need be.
/// A SOCKS proxy resolves the names itself. Without a port it is 80, 443 or 1080 by the scheme.
std::string choose_proxy(const ServerUrl& server,
                         const std::string& proxy_url,
                         const ProxyEnvironment& environment);

/// The same for people: as written, but for a password; "" for none.
std::string proxy_for_people(const ServerUrl& server,
                             const std::string& proxy_url,
                             const ProxyEnvironment& environment);

}  // namespace meshtrust::k8s
