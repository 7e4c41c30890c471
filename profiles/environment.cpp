#include "profiles/environment.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>

namespace meshtrust::profiles {
namespace {

using base::Json;

constexpr std::uint32_t kAddressesOfAPool = 50;
constexpr std::uint32_t kLeastAddressesOfAPool = 4;
constexpr int kAddressBits = 32;
constexpr int kWideNetwork = 16;  // x.y.0.0: pools are x.y.(200+index)
constexpr std::uint32_t kFirstPool = 200;
constexpr std::uint32_t kMostPools = 55;

/// The host of "https://host:port/path" or "host:port"; brackets of an IPv6 address taken off.
std::string_view host_of(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("/?#"));
  if (const auto user = url.rfind('@'); user != std::string_view::npos) url.remove_prefix(user + 1);
  if (url.starts_with('[')) return url.substr(1, std::min(url.find(']'), url.size()) - 1);
  return url.substr(0, url.find(':'));
}

bool is_loopback_ipv4(std::uint32_t address) {
  constexpr std::uint32_t kLoopbackNetwork = 127;
  return address >> 24U == kLoopbackNetwork || address == 0;
}

bool is_loopback_ipv6(const in6_addr& address) {
  if (IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address)) return true;
  if (!IN6_IS_ADDR_V4MAPPED(&address)) return false;
  std::uint32_t mapped = 0;
  for (std::size_t i = 12; i < 16; ++i) {
    mapped = mapped << 8U | address.s6_addr[i];
  }
  return is_loopback_ipv4(mapped);
}

std::optional<std::uint32_t> parse_ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string format_ipv4(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24U, address >> 16U & 0xffU, address >> 8U & 0xffU,
                     address & 0xffU);
}

struct Network {
  std::uint32_t first = 0;  ///< the network's own address
  int bits = 0;             ///< of the prefix
  std::uint64_t size() const {
    return std::uint64_t{1} << static_cast<unsigned>(kAddressBits - bits);
  }
};

base::Result<Network> parse_network(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto address = parse_ipv4(std::string(text.substr(0, slash)));
  const std::string_view length = text.substr(std::min(slash + 1, text.size()));
  int bits = -1;
  const auto read = std::from_chars(length.data(), length.data() + length.size(), bits);
  const bool is_number = read.ec == std::errc() && read.ptr == length.data() + length.size();
  if (!address || !is_number || bits < 1 || bits > kAddressBits) {
    return base::fail(base::Code::kInvalidInput,
                      fmt::format("'{}' is not an IPv4 network, expected one like 172.18.0.0/16",
                                  base::printable(text, 60)));
  }
  const std::uint32_t mask = ~std::uint32_t{0} << static_cast<unsigned>(kAddressBits - bits);
  return Network{.first = *address & mask, .bits = bits};
}

/// First and last address of a pool.
struct Range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

base::Result<Range> pool_of(const Network& network, std::size_t index, std::size_t clusters) {
  const auto number = static_cast<std::uint32_t>(index);
  if (network.bits <= kWideNetwork && clusters <= kMostPools) {
    const std::uint32_t block = network.first + ((kFirstPool + number) << 8U);
    return Range{.first = block + 1, .last = block + kAddressesOfAPool};
  }
  // Containers get theirs from the bottom, and the last address is the broadcast one.
  const std::uint64_t quarter = network.size() / 4;
  const std::uint64_t each = std::min<std::uint64_t>(
      kAddressesOfAPool, quarter > 0 ? (quarter - 1) / std::max<std::size_t>(clusters, 1) : 0);
  if (each < kLeastAddressesOfAPool) {
    return base::fail(base::Code::kInvalidInput,
                      fmt::format("network '{}/{}' is too small for {} addresses in each of {}",
                                  format_ipv4(network.first), network.bits, kLeastAddressesOfAPool,
                                  base::count_of(clusters, "cluster")));
  }
  const auto first =
      static_cast<std::uint32_t>(network.first + network.size() - quarter + number * each);
  return Range{.first = first, .last = first + static_cast<std::uint32_t>(each) - 1};
}

Json metallb_object(std::string_view kind, Json spec) {
  return {{"apiVersion", "metallb.io/v1beta1"},
          {"kind", kind},
          {"metadata", {{"name", "meshtrust"}, {"namespace", "metallb-system"}}},
          {"spec", std::move(spec)}};
}

}  // namespace

bool is_loopback_server(std::string_view url) {
  std::string host(host_of(url));
  while (host.ends_with('.')) {
    host.pop_back();
  }
  std::transform(host.begin(), host.end(), host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (host == "localhost" || host.ends_with(".localhost") || host == "host.docker.internal") {
    return true;
  }
  if (const auto address = parse_ipv4(host)) return is_loopback_ipv4(*address);
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1 && is_loopback_ipv6(address);
}

std::optional<std::string> kind_api_server(std::span<const NodeAddress> addresses) {
  constexpr int kKindPort = 6443;
  std::optional<std::string> ipv4;
  std::optional<std::string> ipv6;
  for (const NodeAddress& node : addresses) {
    if (!node.control_plane || node.type != "InternalIP") continue;
    std::optional<std::string>& found = parse_ipv4(node.address) ? ipv4 : ipv6;
    if (found) return std::nullopt;
    found = node.address;
  }
  if (ipv4) return fmt::format("https://{}:{}", *ipv4, kKindPort);
  if (ipv6) return fmt::format("https://[{}]:{}", *ipv6, kKindPort);
  return std::nullopt;
}

base::Result<std::vector<Json>> metallb_pool(std::string_view subnet,
                                             std::size_t index,
                                             std::size_t clusters) {
  MESHTRUST_CHECK(index < clusters);
  MESHTRUST_TRY(const Network network, parse_network(subnet));
  MESHTRUST_TRY(const Range pool, pool_of(network, index, clusters));
  const std::string range = fmt::format("{}-{}", format_ipv4(pool.first), format_ipv4(pool.last));
  return std::vector<Json>{
      metallb_object("IPAddressPool", {{"addresses", Json::array({range})}}),
      metallb_object("L2Advertisement", {{"ipAddressPools", Json::array({"meshtrust"})}})};
}

}  // namespace meshtrust::profiles
