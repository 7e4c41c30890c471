#include "cli/installer.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>

namespace meshtrust::cli {

namespace {

/// util-linux's way to have a program end with the thread that started it.
std::vector<std::string> tether(base::Files& files) {
  constexpr const char* kSetpriv = "/usr/bin/setpriv";
  const auto facts = files.facts(kSetpriv);
  if (!facts || facts->kind != base::FileKind::kFile) return {};
  return {kSetpriv, "--pdeathsig", "TERM", "--"};
}

}  // namespace

run::Istioctl istioctl_of(const Session& session, const profiles::Mesh& mesh) {
  const auto& variable = session.around.variable;
  std::filesystem::path state = variable("XDG_STATE_HOME").value_or("");
  if (!state.is_absolute()) {
    state = std::filesystem::path(variable("HOME").value_or("")) / ".local" / "state";
  }
  const std::string stated = variable("MESHTRUST_ISTIOCTL").value_or("");
  return run::Istioctl({.processes = session.around.processes,
                        .files = session.around.files,
                        .program = stated.empty() ? "istioctl" : stated,
                        .folder = state / "meshtrust" / mesh.name,
                        .tether = tether(session.around.files),
                        .readiness = std::chrono::ceil<base::Seconds>(session.timeout)});
}

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
  return base::fail(base::Code::kUnavailable, fmt::format("'{}' has no address yet", host),
                    "names of new load balancers take minutes to spread: run the same command "
                    "again");
}

}  // namespace meshtrust::cli
