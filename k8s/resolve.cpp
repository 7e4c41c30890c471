#include "k8s/resolve.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>

namespace meshtrust::k8s {

base::Result<std::string> resolve_host(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int problem = getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::string other;
  for (const addrinfo* one = problem == 0 ? found : nullptr; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    if (one->ai_family == AF_INET) return std::string(text.data());
    other = text.data();
  }
  if (!other.empty()) return other;
  return base::fail(base::Code::kUnavailable, fmt::format("'{}' has no address yet", host));
}

}  // namespace meshtrust::k8s
