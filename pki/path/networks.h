#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace meshtrust::pki {

/// How a verifier finds the networks of constraints that an address lies in.
enum class NetworkSearch : std::uint8_t {
  kByMask,  ///< all that contain it, host bits aside
  kSorted,  ///< Go: only the one that comes before it in order, when no network contains another
  kInTurn,  ///< rustls-webpki: one by one, and a mask is looked at as far as the address agrees
};

/// The address constraints (RFC 5280 4.2.1.10: an address, then its mask) of one side.
class Networks {
 public:
  explicit Networks(NetworkSearch search) : search_(search) {}

  /// False where this verifier cannot read it; those that read in turn may find out later.
  bool add(const std::string& octets);
  /// Once all are there.
  void finish();
  /// Whether `address`, of 4 or 16 octets, lies in one; nothing when one cannot be read.
  std::optional<bool> contain(std::string_view address) const;

 private:
  struct Network {
    std::string address;
    std::string mask;
    friend bool operator<(const Network& a, const Network& b) {
      return std::tie(a.address, a.mask) < std::tie(b.address, b.mask);
    }
  };
  bool contain_by_mask(std::string_view address) const;
  bool contain_sorted(std::string_view address) const;
  std::optional<bool> contain_in_turn(std::string_view address) const;
  static bool covers(const Network& network, std::string_view address);

  NetworkSearch search_;
  std::set<Network> by_mask_;     // masked; of the others none
  std::set<std::string> masks_;   // of those
  std::vector<Network> ordered_;  // as they are
};

}  // namespace meshtrust::pki
